import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { DropSource } from './support/drops.js';
import { emitted, parseEvents } from './support/program.js';
import { numbersOf, type Served, scratch, startServe } from './support/serve.js';

const source = new DropSource();
const here = ['--netns', source.path];

afterAll(() => source.remove());

describe('readers', () => {
  test('that keep up get every event of a flood, beside one that has stopped reading and one that is gone', async () => {
    const serve = await startServe([...here, '--every', '--history', '1M']);
    const good = await Promise.all([1, 2, 3].map(() => serve.follow('/v1/events?since=1h')));
    const stalled = await rawFollow(serve, '/v1/events');
    stalled.pause();
    const gone = await rawFollow(serve, '/v1/events');
    gone.destroy();
    await source.drop(6000, { rate: 3000, flows: 50 });
    const lost = await lossOf(stalled);
    await serve.program.stop('SIGTERM');
    await Promise.all(good.map((reader) => reader.over));

    for (const { events } of good) {
      expect(numbersOf(events)).toEqual(events.map((_, index) => index + 1));
      expect(emitted(events)).toBe(6000);
    }
    expect(lost).toMatchObject({ kind: 'lost', where: 'reader' });
    expect(lost.count).toBeGreaterThan(0);
  });

  test('may be 200 at a time, and one that closes its half is gone', async () => {
    const serve = await startServe(here);
    const many = await Promise.all(Array.from({ length: 200 }, () => serve.follow('/v1/events?since=1h')));
    const half = await rawFollow(serve, '/v1/events');
    expect(await readersNow(serve)).toBe(201);
    half.end();
    await new Promise((resolve) => half.once('close', resolve));
    await source.drop(100, { flows: 10 });
    await Promise.all(many.map((reader) => reader.until(({ events }) => emitted(events) === 100)));
    expect(await readersNow(serve)).toBe(200);
    const texts = new Set(many.map(({ text }) => emitted(parseEvents(text))));
    expect(texts).toEqual(new Set([100]));
    expect(rssMb(serve)).toBeLessThan(200);
  });

  test('that are asked for in a row come one after the other, and are gone with their connection', async () => {
    const serve = await startServe([...here, '--max-readers', '2']);
    const socket = await raw(serve);
    let text = '';
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    socket.write(
      ask('/healthz') + ask('/v1/events?since=1h&follow=false').repeat(3) + ask('/v1/events').repeat(20),
    );
    await vi.waitFor(() => expect(text.match(/HTTP\/1.1 200 OK/g)).toHaveLength(5));
    expect(text.match(/"kind":"start"/g)).toHaveLength(3);
    expect(await readersNow(serve)).toBe(1);
    socket.destroy();
    await vi.waitFor(async () => expect(await readersNow(serve)).toBe(0));
    expect(serve.program.stderr).not.toContain('Warning');
  });
});

describe('strangers', () => {
  test('that send headers without end, or far too slowly, are cut off; others are served meanwhile', async () => {
    const serve = await startServe(here);
    const endless = await raw(serve);
    endless.write(`GET /v1/status HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(64 * 1024)}`);
    const slow = await raw(serve);
    slow.write('GET /v1/status HTTP/1.1\r\nHost: x\r\n');
    const ends = [endless, slow].map(
      (socket) => new Promise((resolve) => socket.once('end', resolve).once('close', resolve)),
    );
    expect((await serve.get('/readyz')).status).toBe(200);
    await Promise.all(ends);
    expect((await serve.get('/readyz')).status).toBe(200);
  });

  test('that ask and ask take nothing from the events', async () => {
    const serve = await startServe(here);
    const reader = await serve.follow('/v1/events?since=1h');
    const flood = Array.from({ length: 300 }, (_, index) =>
      serve.get(index % 2 ? '/v1/status' : '/v1/nothing').then(({ status }) => status),
    );
    await source.drop(100, { flows: 10 });
    await reader.until(({ events }) => emitted(events) === 100);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([200, 404]));
    expect(numbersOf(reader.events)).toEqual(reader.events.map((_, index) => index + 1));
  });
});

describe('the end', () => {
  test('comes at once with the second signal, though somebody has still to be waited for', async () => {
    const serve = await startServe(here);
    const slow = await raw(serve);
    slow.write('GET /v1/status HTTP/1.1\r\nHost: x\r\n');
    expect((await serve.get('/readyz')).status).toBe(200);
    const exited = serve.program.exited;
    serve.program.kill('SIGTERM');
    await vi.waitFor(() => expect(existsSync(serve.socket)).toBe(false), { timeout: 4000 });
    serve.program.kill('SIGINT');
    expect(await exited).toEqual({ code: null, signal: 'SIGINT' });
  });
});

describe('the history on disk', () => {
  test('outlives kill -9: a reader goes on where it was, and is told what nobody can know', async () => {
    const directory = scratch();
    const history = join(directory, 'history');
    const args = [...here, '--history-dir', history];
    const killed = await startServe(args, { directory });
    await source.drop(50, { flows: 5 });
    const reader = await killed.follow('/v1/events?since=1h');
    await reader.until(({ events }) => emitted(events) === 50);
    await vi.waitFor(async () => expect(await bytesOnDisk(killed)).toBe(Buffer.byteLength(reader.text)), {
      timeout: 5000,
    });
    await killed.program.stop('SIGKILL');

    const serve = await startServe(args, { directory });
    const id = reader.events[0]?.event_id;
    const rest = await serve.follow(`/v1/events?since=${id}`);
    await rest.until(({ events }) => events.some(({ kind }) => kind === 'start'));
    const before = rest.events.slice(
      0,
      rest.events.findIndex(({ kind }) => kind === 'start'),
    );
    const lost = before.at(-1);
    expect(emitted(before)).toBe(50);
    expect(lost?.kind === 'lost' && lost.count_unknown).toContain('started again');
    expect(numbersOf(before)).toEqual(numbersOf(before).map((_, index) => index + 2));
  });

  test('that is full costs the history on disk some events, and nobody else anything', async () => {
    const disk = join(scratch(), 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'rpftrace-test', disk]);
    onTestFinished(() => void execFileSync('umount', ['-l', disk]));
    const serve = await startServe([...here, '--every', '--history-dir', join(disk, 'history')]);
    const reader = await serve.follow('/v1/events?since=1h');
    await source.drop(2000, { rate: 2000, flows: 10 });
    await reader.until(({ text }) => text.split('"kind":"drop"').length > 2000);
    await serve.program.until(({ stderr }) => stderr.includes('history: cannot write to'));
    expect(serve.program.stderr).toContain('ENOSPC');
    expect(emitted(reader.events)).toBe(2000);
    expect(
      (await serve.json<{ history: { disk_failure: string } }>('/v1/status')).history.disk_failure,
    ).toContain('ENOSPC');
    for (const file of readdirSync(join(disk, 'history'))) {
      const path = join(disk, 'history', file);
      expect(statSync(path).size).toBeGreaterThan(0);
      for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) JSON.parse(line);
    }
  });
});

async function readersNow(serve: Served): Promise<number> {
  return (await serve.json<{ readers: { now: number } }>('/v1/status')).readers.now;
}

async function bytesOnDisk(serve: Served): Promise<number> {
  return (await serve.json<{ history: { disk_bytes: number } }>('/v1/status')).history.disk_bytes;
}

function rssMb({ program }: Served): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1000;
}

function raw({ socket }: Served): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const made = connect({ path: socket, allowHalfOpen: true }, () => resolve(made));
    made.once('error', reject);
    onTestFinished(() => void made.destroy());
    made.on('error', () => undefined);
    made.resume();
  });
}

/** A reader that has got the head of its answer. */
async function rawFollow(serve: Served, path: string): Promise<Socket> {
  const socket = await raw(serve);
  const head = new Promise((resolve) => socket.once('data', resolve));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await head;
  return socket;
}

/** Reads again, until it was told what it lost. */
function lossOf(socket: Socket): Promise<{ kind: string; where: string; count: number }> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const line = /\{"v":1,"kind":"lost"[^\n]*"where":"reader"[^\n]*\}(?=\n)/.exec(text)?.[0];
      if (line) resolve(JSON.parse(line));
    });
    socket.resume();
  });
}
