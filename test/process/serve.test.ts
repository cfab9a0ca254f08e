import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { event, type TraceEvent } from '../../src/events.js';
import { makeAuthority, writePair } from '../support/certificates.js';
import { DropSource } from './support/drops.js';
import { emitted, parseEvents, rpftrace, startAttached, startTrace, stopOf } from './support/program.js';
import { ALONE, getFrom, numbersOf, portOf, scratch, startServe, TOKEN, tokenFile } from './support/serve.js';

const source = new DropSource();
const here = ['--netns', source.path];

afterAll(() => source.remove());

describe('rpftrace serve', () => {
  test('gives each of its readers every event, numbered without a gap, to the stop event', async () => {
    const serve = await startServe(here);
    const first = await serve.follow('/v1/events?since=1h');
    await source.drop(1000, { flows: 20 });
    const second = await serve.follow('/v1/events?since=1h');
    await source.drop(1000, { flows: 20 });
    const ended = await serve.program.stop('SIGTERM');
    await Promise.all([first.over, second.over]);

    expect(ended).toMatchObject({ code: 0, stdout: '' });
    for (const { events } of [first, second]) {
      for (const one of events) event.parse(one);
      expect(numbersOf(events)).toEqual(events.map((_, index) => index + 1));
      expect(emitted(events)).toBe(2000);
      expect(events[0]?.kind).toBe('start');
      expect(stopOf(events)).toMatchObject({ why: 'signal', signal: 'SIGTERM' });
      expect(stopOf(events).conservation.holds).toBe(true);
    }
    expect(second.text).toBe(first.text);
  });

  test('tells what a trace beside it tells, and its sentence', async () => {
    const serve = await startServe(here);
    const trace = await startTrace([...here, ...ALONE, '-o', 'ndjson']);
    await source.drop(500, { flows: 3 });
    const reader = await serve.follow('/v1/events?since=1h');
    await reader.until(({ events }) => emitted(events) === 500);
    const { incidents } = await serve.json<{ incidents: { summary: string; drops: number }[] }>(
      '/v1/incidents',
    );
    const traced = parseEvents((await trace.stop()).stdout);
    await serve.program.stop('SIGTERM');
    await reader.over;

    expect(emitted(reader.events)).toBe(emitted(traced));
    expect(devicesOf(reader.events)).toEqual(devicesOf(traced));
    const told = traced.findLast(({ kind }) => kind === 'incident');
    expect(told?.kind === 'incident' && told.devices).toEqual([source.device]);
    expect(incidents[0]?.summary.split(' ').slice(0, 4)).toEqual(
      told?.kind === 'incident' ? told.summary.split(' ').slice(0, 4) : [],
    );
  });

  test('goes on behind an event, without a gap and without one twice', async () => {
    const serve = await startServe(here);
    await source.drop(300, { flows: 30 });
    const all = await serve.follow('/v1/events?since=1h');
    await all.until(({ events }) => emitted(events) === 300);
    const id = all.events[9]?.event_id;
    const rest = await serve.get(`/v1/events?since=${id}&follow=false`);
    const resumed = await serve.get('/v1/events?follow=false', { 'last-event-id': String(id) });

    expect(numbersOf(parseEvents(rest.body))[0]).toBe(11);
    expect(resumed.body.startsWith(rest.body)).toBe(true); // another event may have come meanwhile
    const last = await serve.get('/v1/events?last=3&follow=false');
    const whole = await serve.get('/v1/events?since=1h&follow=false');
    expect(parseEvents(last.body)).toHaveLength(3);
    expect(whole.body).toContain(last.body);
  });

  test('chooses by the filters of the command line, each reader its own', async () => {
    const serve = await startServe(here);
    await source.drop(10);
    const all = await serve.follow('/v1/events?since=1h');
    await all.until(({ events }) => emitted(events) === 10);
    const ask = async (query: string) =>
      parseEvents((await serve.get(`/v1/events?since=1h&follow=false&${query}`)).body);

    expect(emitted(await ask('rpf_only'))).toBe(10);
    expect(emitted(await ask('reason=ip_rpfilter&kind=drop'))).toBe(10);
    expect((await ask('reason=NO_SOCKET')).map(({ kind }) => kind)).toEqual(['start']);
    expect(emitted(await ask(`device=${source.device.slice(0, 4)}*&netns=${source.inode}`))).toBe(10);
    expect(emitted(await ask('device=other*'))).toBe(0);
    expect(emitted(await ask(`netns=${statSync('/proc/self/ns/net').ino}`))).toBe(0);
    expect(emitted(await ask('device=lxcgone&netns=4026599999'))).toBe(0);
    expect(emitted(await ask('namespace=default'))).toBe(0);
    expect(new Set((await ask('kind=incident')).map(({ kind }) => kind))).toEqual(new Set(['incident']));
  });

  test('says what is wrong with a question', async () => {
    const serve = await startServe(here);
    const ask = async (path: string) => {
      const { status, body } = await serve.get(path);
      return `${status} ${JSON.parse(body).error.message}`;
    };
    expect(await ask('/v1/events?reson=X')).toBe('400 there is no parameter reson; did you mean reason?');
    expect(await ask('/v1/events?reason=IP_RPFILTR')).toContain('did you mean IP_RPFILTER');
    expect(await ask('/v1/events?last=0')).toBe('400 last is 0: give a whole number from 1 to 1000000');
    expect(await ask('/v1/events?since=yesterday')).toContain('400 since is yesterday: give an event_id');
    expect(await ask('/v1/events?selector=app%3Dx')).toContain('400 events of this server carry no labels');
    expect(await ask('/v1/events?netns=/proc/self/ns/net')).toContain(
      '400 /proc/self/ns/net is no inode number',
    );
    expect(await ask('/v1/event')).toBe('404 there is nothing here; did you mean /v1/events?');
    expect(await ask('/v1/../../etc/passwd')).toMatch(/^404/);
    expect(await ask('/%2e%2e/%2e%2e/etc/passwd')).toMatch(/^404/);
  });

  test('sends server-sent events to who accepts them', async () => {
    const serve = await startServe(here);
    const reader = await serve.follow('/v1/events?kind=drop', { accept: 'text/event-stream' });
    await source.drop(1);
    await reader.until(({ text }) => text.endsWith('\n\n'));
    expect(reader.response.headers['content-type']).toBe('text/event-stream');
    const [, epoch, data] = /^id: ([0-9a-z]{8})-\d+\nevent: drop\ndata: (.*)\n\n/.exec(reader.text) ?? [];
    expect(epoch).toMatch(/^[0-9a-z]{8}$/);
    expect(event.parse(JSON.parse(String(data))).kind).toBe('drop');
  });

  test('puts all that is known into one file for a ticket', async () => {
    const serve = await startServe([...here, '--token-file', tokenFile()]);
    await source.drop(5);
    const reader = await serve.follow('/v1/events?since=1h');
    await reader.until(({ events }) => emitted(events) === 5);
    const { headers, body } = await serve.get('/v1/snapshot');
    const snapshot = JSON.parse(body);

    expect(headers['content-disposition']).toMatch(/^attachment; filename="rpftrace-[\w.-]+\.json"$/);
    expect(emitted(snapshot.events)).toBe(5);
    expect(snapshot.incidents).toHaveLength(1);
    expect(snapshot.doctor.kind).toBe('doctor');
    expect(snapshot.status.totals.emitted).toBe(5);
    expect(snapshot.config.has_token).toBe(true);
    expect(body).not.toContain(TOKEN);
  });

  test('is alive and ready for probes, which bring no token', async () => {
    const serve = await startServe([...here, '--listen', '127.0.0.1:0', '--token-file', tokenFile()]);
    const place = { host: '127.0.0.1', port: await portOf(serve.program) };
    expect(await getFrom(place, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await getFrom(place, '/readyz')).toMatchObject({ status: 200, body: 'ok\n' });
    expect((await getFrom(place, '/v1/status')).status).toBe(401);
    const wrong = { authorization: `Bearer ${TOKEN.slice(0, -1)}` };
    expect((await getFrom(place, '/v1/status', wrong)).status).toBe(401);
    const right = { authorization: `Bearer ${TOKEN}` };
    expect((await getFrom(place, '/v1/status', right)).status).toBe(200);
    for (let tries = 0; tries < 9; tries++) await getFrom(place, '/v1/status', wrong);
    const limited = await getFrom(place, '/v1/status', right);
    expect(limited.status).toBe(429);
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
  });
});

describe('the configuration', () => {
  test('is checked as a whole, with lines and what was meant', async () => {
    const file = join(scratch(), 'rpftrace.yaml');
    writeFileSync(file, 'listen: ["0.0.0.0:1"]\nhistory:\n  memroy: 1M\ncapture:\n  snaplen: lots\n');
    const { code, stderr } = await rpftrace(['serve', '--config', file, '--check-config']);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}, line 3: history.memroy is no key here; did you mean memory?`);
    expect(stderr).toContain(`${file}, line 5: capture.snaplen`);
  });

  test('comes from the file, the environment and the command line, in this order', async () => {
    const file = join(scratch(), 'rpftrace.yaml');
    writeFileSync(file, 'history: {memory: 1M, disk: 2M}\nlimits: {readers: 3}\n');
    const env = {
      RPFTRACE_HISTORY_DISK: '4M',
      RPFTRACE_LIMITS_READERS: '5',
      RPFTRACE_PORT_80_TCP: 'tcp://10.0.0.1:80',
    };
    const args = ['serve', '--config', file, '--max-readers', '7', '--check-config'];
    const { code, stdout } = await rpftrace(args, { env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      history: { memory: 1 << 20, disk: 4 << 20 },
      limits: { readers: 7 },
    });
    const wrong = await rpftrace(['serve', '--check-config'], { env: { RPFTRACE_HISTORY_MEMROY: '1M' } });
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('did you mean RPFTRACE_HISTORY_MEMORY');
  });

  test('wants a token where others can reach it', async () => {
    const { code, stderr } = await rpftrace(['serve', '--listen', ':14199', '--check-config']);
    expect(code).toBe(2);
    expect(stderr).toContain('listen has an address that others can reach: give a token_file as well');
  });

  test('is read again with SIGHUP; one that is broken changes nothing', async () => {
    const directory = scratch();
    const file = join(directory, 'rpftrace.yaml');
    writeFileSync(file, 'limits: {readers: 1}\n');
    const serve = await startServe([...here, '--config', file], { directory });
    const one = await serve.follow('/v1/events');
    expect((await serve.get('/v1/events')).status).toBe(503);

    writeFileSync(file, 'limits: {readers: 2}\ncapture: {every: true}\n');
    serve.program.kill('SIGHUP');
    await serve.program.until(({ stderr }) =>
      stderr.includes('these take effect with the next start: capture'),
    );
    const two = await serve.follow('/v1/events');
    expect(two.response.statusCode).toBe(200);

    writeFileSync(file, 'limits: {readers: none\n');
    serve.program.kill('SIGHUP');
    await serve.program.until(({ stderr }) => stderr.includes('the configuration stays as it was'));
    expect(serve.program.stderr).toContain(`${file}, line`);
    expect((await serve.get('/v1/events')).status).toBe(503);
    await source.drop(1);
    await one.until(({ events }) => emitted(events) === 1);
  });
});

describe('SIGHUP', () => {
  test('does not take the token away where others can reach it', async () => {
    const directory = scratch();
    const file = join(directory, 'rpftrace.yaml');
    writeFileSync(file, `listen: ["0.0.0.0:0"]\ntoken_file: ${tokenFile()}\n`);
    const program = await startAttached('serve', [...here, ...ALONE, '--config', file]);
    onTestFinished(() => program.kill('SIGKILL'));
    writeFileSync(file, 'listen: ["127.0.0.1:0"]\n');
    program.kill('SIGHUP');
    await program.until(({ stderr }) => stderr.includes('with the next start: listen, token'));
    const place = { host: '127.0.0.1', port: await portOf(program) };
    expect((await getFrom(place, '/v1/status')).status).toBe(401);
    const right = { authorization: `Bearer ${TOKEN}` };
    expect((await getFrom(place, '/v1/status', right)).status).toBe(200);
  });

  test('changes nothing where certificate and key are not of one pair', async () => {
    const directory = scratch();
    const file = join(directory, 'rpftrace.yaml');
    writeFileSync(file, 'limits: {readers: 1}\n');
    const serve = await startServe([...here, '--config', file], { directory });
    await serve.follow('/v1/events');
    const { server, elsewhere } = makeAuthority();
    const { cert, key } = writePair(directory, { cert: server.cert, key: elsewhere.key });
    writeFileSync(file, `limits: {readers: 2}\ntls: {cert_file: ${cert}, key_file: ${key}}\n`);
    serve.program.kill('SIGHUP');
    await serve.program.until(({ stderr }) => stderr.includes('the configuration stays as it was'));
    expect((await serve.get('/v1/events')).status).toBe(503);
    const { code, stderr } = await rpftrace(['serve', '--config', file, '--check-config']);
    expect(code).toBe(2);
    expect(stderr).toContain(`${cert} and ${key} are no certificate and its key`);
  });
});

describe('the folder of the history', () => {
  test('belongs to one server; that of a killed one is free', async () => {
    const history = join(scratch(), 'history');
    const serve = await startServe([...here, '--history-dir', history]);
    const second = await rpftrace([
      ...['serve', ...ALONE, '--listen', `unix:${join(scratch(), 'second.sock')}`],
      ...['--history-dir', history],
    ]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`another server keeps its history in ${history} [E_OUTPUT]`);
    await serve.program.stop('SIGKILL');
    const third = await startServe([...here, '--history-dir', history]);
    expect((await third.get('/readyz')).status).toBe(200);
  });
});

describe('an address', () => {
  test('that is taken is told, with what to do', async () => {
    const serve = await startServe(here);
    const again = await rpftrace(['serve', '--listen', `unix:${serve.socket}`, ...ALONE]);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain(`another server listens on ${serve.socket} [E_LISTEN]`);
    expect((await serve.get('/healthz')).status).toBe(200);
  });

  test('whose socket file was left by a killed server is taken over', async () => {
    const directory = scratch();
    const killed = await startServe(here, { directory });
    await killed.program.stop('SIGKILL');
    expect(statSync(killed.socket).isSocket()).toBe(true);
    const serve = await startServe(here, { directory });
    expect((await serve.get('/readyz')).status).toBe(200);
    expect(statSync(serve.socket).mode & 0o777).toBe(0o600);
  });

  test('whose port is taken is told, too', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await rpftrace(['serve', '--listen', `127.0.0.1:${port}`, ...ALONE]);
    other.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}: somebody else listens there [E_LISTEN]`);
  });

  test('whose folder cannot be made is told', async () => {
    const file = join(scratch(), 'file');
    writeFileSync(file, '');
    const { code, stderr } = await rpftrace(['serve', '--listen', `unix:${file}/socket`, ...ALONE]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${file} is no folder for a socket`);
    expect(stderr).toContain('--listen unix:PATH');
  });

  test('of a file that is no socket stays what it is', async () => {
    const path = join(scratch(), 'file');
    writeFileSync(path, 'precious');
    const { code, stderr } = await rpftrace(['serve', '--listen', path, ...ALONE]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${path} is there and is no socket`);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });
});

function devicesOf(events: readonly TraceEvent[]): string[] {
  return [...new Set(events.flatMap((one) => (one.kind === 'drop' ? (one.device.name ?? '') : [])))];
}
