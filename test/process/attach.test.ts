import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { event, type TraceEvent } from '../../src/events.js';
import { DropSource } from './support/drops.js';
import { asNobody } from './support/privileges.js';
import {
  emitted,
  type Program,
  parseEvents,
  program,
  type RunOptions,
  rpftrace,
  startAttached,
  startTrace,
  stopOf,
} from './support/program.js';
import { ALONE, epochOf, numbersOf, portOf, scratch, startServe } from './support/serve.js';

const source = new DropSource();
const here = ['--netns', source.path];

afterAll(() => source.remove());

describe('rpftrace attach', () => {
  test('tells what a trace beside it tells, and what the server has, letter by letter', async () => {
    const serve = await startServe(here);
    const trace = await startTrace([...here, ...ALONE, '-o', 'ndjson']);
    const attached = await attach([serve.socket]);
    await source.drop(500, { flows: 3 });
    await attached.until(({ events }) => emitted(events) === 500);
    const traced = parseEvents((await trace.stop()).stdout);
    const { code, stdout, stderr } = await attached.stop();
    const { body } = await serve.get('/v1/events?since=1h&follow=false');

    expect(code).toBe(0);
    expect(body).toContain(stdout);
    for (const one of parseEvents(stdout)) event.parse(one);
    expect(flowsOf(parseEvents(stdout))).toEqual(flowsOf(traced));
    expect(sentenceOf(parseEvents(stdout))).toBe(sentenceOf(traced));
    expect(stderr).toContain(`attached to unix:${serve.socket}\n`);
    expect(stderr).toMatch(/: rpftrace [\d.]+ on Linux \S+, capturing since /);
    expect(stderr).toMatch(
      /rpftrace: 500 drops told in [\d.]+ s, 0 lost\n.* by reason:\n +500 {2}IP_RPFILTER\n/s,
    );
  });

  test('begins where it is told to, ends where it is told to, and chooses as the server can', async () => {
    const serve = await startServe(here);
    await source.drop(40, { flows: 4 });
    const all = await serve.follow('/v1/events?since=1h');
    await all.until(({ events }) => emitted(events) === 40);
    const told = async (...args: string[]) =>
      parseEvents((await rpftrace(['attach', serve.socket, '--no-follow', ...args])).stdout);

    expect(await told('--since', '1h')).toEqual(all.events);
    expect(await told('--last', '2')).toEqual(all.events.slice(-2));
    expect(await told('--since', String(all.events[3]?.event_id))).toEqual(all.events.slice(4));
    expect(emitted(await told('--since', '1h', '--kind', 'drop', '--rpf-only', '--device', 'drop*'))).toBe(
      40,
    );
    expect(emitted(await told('--since', '1h', '--netns', '1'))).toBe(0);
    expect(await told('--since', '1h', '--count', '2')).toEqual(
      all.events.slice(0, indexOfDrop(all.events, 2)),
    );
    const wrong = await rpftrace(['attach', serve.socket, '--reason', 'IP_RPFILTR']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('did you mean IP_RPFILTER');
  });

  test('comes by TCP too', async () => {
    const serve = await startServe([...here, '--listen', '127.0.0.1:0']);
    const attached = await attach([`http://127.0.0.1:${await portOf(serve.program)}`]);
    await source.drop(3);
    await attached.until(({ events }) => emitted(events) === 3);
    expect(await attached.stop('SIGTERM')).toMatchObject({ code: 0 });
  });
});

describe('a server that goes', () => {
  test('by kill -9 and comes back with its history: no event is missing, none comes twice', async () => {
    const directory = scratch();
    const args = [...here, '--history-dir', join(directory, 'history')];
    const killed = await startServe(args, { directory });
    const attached = await attach([killed.socket]);
    for (let round = 0; round < 5; round++) await source.drop(100, { flows: 20 });
    await attached.until(({ events }) => emitted(events) === 500);
    await vi.waitUntil(() => isOnDisk(join(directory, 'history'), attached.events.at(-1)?.event_id));
    await killed.program.stop('SIGKILL');
    await attached.until(({ stderr }) => stderr.includes('trying again until it is there'));
    const back = await startServe(args, { directory });
    await source.drop(300, { flows: 30 });
    await attached.until(({ events }) => emitted(events) === 800);
    await attached.until(({ stderr }) => stderr.includes(', which was started again: '));
    const events = parseEvents((await attached.stop()).stdout);
    const { body } = await back.get('/v1/events?since=1h&follow=false');

    const [first, second] = boots(events);
    expect(numbersOf(first)).toEqual(upTo(numbersOf(first).length + 1).slice(1));
    expect(numbersOf(second)).toEqual(upTo(numbersOf(second).length));
    expect(emitted(parseEvents(body))).toBe(800);
    expect(attached.stderr).toContain('the other side closed the connection');
  });

  test('in good order is waited for: it says itself that nothing is missing', async () => {
    const directory = scratch();
    const args = [...here, '--history-dir', join(directory, 'history')];
    const serve = await startServe(args, { directory });
    const attached = await attach([serve.socket]);
    await serve.program.stop('SIGTERM');
    await attached.until(({ stderr }) => stderr.includes('has ended; trying again until it is there'));
    await startServe(args, { directory });
    await attached.until(({ stderr }) => stderr.includes('started again: nothing is missing'));
    await source.drop(2);
    await attached.until(({ events }) => emitted(events) === 2);
    const events = parseEvents((await attached.stop()).stdout);
    expect(events.map(({ kind }) => kind).slice(0, 2)).toEqual(['stop', 'start']);
  });

  test('is not waited for where that was asked', async () => {
    const serve = await startServe(here);
    const attached = await attach([serve.socket, '--no-reconnect']);
    await source.drop(2);
    await attached.until(({ events }) => emitted(events) === 2);
    await serve.program.stop('SIGTERM');
    const { code, stdout } = await attached.ended;
    expect(code).toBe(0);
    expect(stopOf(parseEvents(stdout)).totals.emitted).toBe(2);

    const other = await startServe(here);
    const cut = await attach([other.socket, '--no-reconnect']);
    await other.program.stop('SIGKILL');
    expect(await cut.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('[E_UNREACHABLE]') });
  });
});

describe('an output that nobody reads', () => {
  test('costs this reader its own events, and they are told', async () => {
    const serve = await startServe([...here, '--every', '--history', '256k']);
    const stalled = spawn(program, ['attach', serve.socket, '-o', 'ndjson'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => {
      stalled.kill('SIGKILL');
    });
    await once(stalled.stderr, 'data');
    await source.drop(8000, { rate: 8000 });
    const { totals } = await serve.json<{ totals: { matched: number } }>('/v1/status');
    expect(totals.matched).toBeGreaterThanOrEqual(8000);
    let text = '';
    stalled.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    const total = () => parseEvents(text).reduce((sum, one) => sum + dropsIn(one), 0);
    while (total() < 8000) await once(stalled.stdout, 'data');
    const losses = parseEvents(text).filter((one) => one.kind === 'lost' && one.where === 'reader');
    expect(total()).toBe(8000);
    expect(losses.length).toBeGreaterThan(0);
    stalled.kill('SIGINT');
    expect(await once(stalled, 'exit')).toEqual([0, null]);
  });
});

describe('a place that cannot be attached to', () => {
  test('is told, with what to do', async () => {
    const nowhere = await rpftrace(['attach', join(scratch(), 'no.sock')]);
    expect(nowhere).toMatchObject({ code: 1, stdout: '' });
    expect(nowhere.stderr).toContain('there is no such socket [E_UNREACHABLE]');
    const file = await rpftrace(['attach', '/etc/hostname']);
    expect(file.stderr).toContain('nobody listens there [E_UNREACHABLE]');
    const odd = await rpftrace(['attach', 'ftp://x']);
    expect(odd).toMatchObject({ code: 2 });
    expect(odd.stderr).toContain('ftp://x is no place to attach to [E_USAGE]');
  });

  test('is one that others may not open', async () => {
    // Below /tmp, where nobody can look, so that it is the socket's own mode that counts.
    const directory = mkdtempSync(join(tmpdir(), 'rpftrace-attach-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    chmodSync(directory, 0o755);
    const serve = await startServe(here, { directory });
    const { code, stderr } = await rpftrace(['attach', serve.socket], asNobody());
    expect(code).toBe(1);
    expect(stderr).toContain('permission denied [E_UNREACHABLE]');
    expect(stderr).toContain('sudo rpftrace attach');
  });

  test('is asked for nothing that is the server’s to do', async () => {
    const { code, stderr } = await rpftrace(['attach', '--otlp', 'http://127.0.0.1:4318']);
    expect(code).toBe(2);
    expect(stderr).toContain('give it there: rpftrace serve --otlp');
  });
});

test.each<[string, (text: string) => void]>([
  ['table', (text) => expect(text).toMatch(/^TIME +COUNT +REASON.*\n.* 1 {2}IP_RPFILTER .* dropin/m)],
  [
    'hubble',
    (text) => {
      const [first = ''] = text.split('\n');
      expect(JSON.parse(first)).toMatchObject({
        flow: { verdict: 'DROPPED', interface: { name: 'dropin' } },
      });
    },
  ],
  ['pcapng', (text) => expect(text.slice(0, 4)).toBe('\n\r\r\n')],
])('-o %s goes into a file as with trace', async (format, check) => {
  const serve = await startServe([...here, '--snaplen', '64']);
  const out = join(scratch(), 'out');
  const attached = await attach([serve.socket, '--out', out, '--count', '1'], format);
  await source.drop(1);
  expect(await attached.ended).toMatchObject({ code: 0, stdout: '' });
  check(readFileSync(out, 'latin1'));
});

async function attach(
  args: readonly string[],
  format = 'ndjson',
  options: RunOptions = {},
): Promise<Program> {
  const attached = await startAttached('attach', ['-o', format, ...args], options);
  onTestFinished(() => attached.kill('SIGKILL'));
  return attached;
}

/** Drops of each flow. */
function flowsOf(events: readonly TraceEvent[]): Record<string, number> {
  const flows: Record<string, number> = {};
  for (const one of events) {
    if (one.kind !== 'drop') continue;
    const flow = `${one.reason} ${one.device.name} ${one.packet?.src}:${one.packet?.src_port} ${one.packet?.dst}`;
    flows[flow] = (flows[flow] ?? 0) + one.count;
  }
  return flows;
}

/** Of the incident, up to the numbers, which come at times of their own. */
function sentenceOf(events: readonly TraceEvent[]): string | undefined {
  const incident = events.find(({ kind }) => kind === 'incident');
  return incident?.kind === 'incident'
    ? incident.summary.split(' UTC: ')[1]?.split(' already')[0]
    : undefined;
}

/** The events of one boot of the server, and of the next one. */
function boots(events: readonly TraceEvent[]): [TraceEvent[], TraceEvent[]] {
  const first = epochOf(events);
  const isFirst = ({ event_id: id }: TraceEvent) => id?.startsWith(`${first}-`) === true;
  return [events.filter(isFirst), events.filter((one) => !isFirst(one))];
}

function isOnDisk(history: string, id: string | undefined): boolean {
  return readdirSync(history).some((file) => readFileSync(join(history, file), 'utf8').includes(`"${id}"`));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function indexOfDrop(events: readonly TraceEvent[], nth: number): number {
  let seen = 0;
  return events.findIndex(({ kind }) => kind === 'drop' && ++seen === nth) + 1;
}

function dropsIn(one: TraceEvent): number {
  if (one.kind === 'drop') return one.count;
  return one.kind === 'lost' ? (one.drops ?? 0) : 0;
}
