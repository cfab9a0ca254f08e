import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Agent, Agents } from '../../../../bench/lib/agents.mjs';
import { Fleet, type FleetOptions } from '../../../../src/attach/fleet/fleet.js';
import { reportLines } from '../../../../src/attach/fleet/report.js';
import { placeOpener } from '../../../../src/attach/open-place.js';
import type { Place } from '../../../../src/attach/place.js';
import { parseTarget } from '../../../../src/attach/target.js';
import { TracerError } from '../../../../src/errors.js';
import type { TraceEvent } from '../../../../src/events.js';
import { aDrop } from '../../../fixtures/journal.js';

vi.setConfig({ testTimeout: 30_000 });

describe('many servers as one', () => {
  test('their events come in the order of their times, each with its node', async () => {
    const { agents, fleet, until } = await following({ nodes: 3, question: { since: '1h' } });
    const start = Date.now() - 60_000;
    for (let index = 0; index < 300; index++)
      tellAt(agents[index % 3] as Agent, start + ((index * 37) % 300));
    await fleet.begin();
    await until((events) => events.length === 300);
    expect(fleet.times).toEqual([...fleet.times].sort());
    expect(new Set(fleet.events.map(({ node }) => node))).toEqual(new Set(['node-0', 'node-1', 'node-2']));
    expect(fleet.report).toMatchObject({ members: 3, events: 300, late: 0, missing: 0, silent: [] });
  });

  test('an event waits for what happened before, no longer than the window', async () => {
    const { agents, until, fleet } = await following({ nodes: 2 });
    await fleet.begin();
    const [early, late] = agents as [Agent, Agent];
    const now = Date.now();
    tellAt(late, now);
    tellAt(early, now - 100);
    const beganMs = performance.now();
    await until((events) => events.length === 2);
    const tookMs = performance.now() - beganMs;
    expect(fleet.events.map(({ node }) => node)).toEqual(['node-0', 'node-1']);
    expect(tookMs).toBeGreaterThan(WINDOW_MS / 2);
  });

  test('one that comes too late is given at once, and counted', async () => {
    const { agents, until, fleet } = await following({ nodes: 2 });
    await fleet.begin();
    const [slow, other] = agents as [Agent, Agent];
    tellAt(other, Date.now());
    await until((events) => events.length === 1);
    tellAt(slow, Date.now() - 60_000);
    await until((events) => events.length === 2);
    expect(fleet.report).toMatchObject({ late: 1, slowest: { node: 'node-0' } });
    expect(reportLines(fleet.report).join('\n')).toContain(
      '1 events came late and stand behind later ones; most from node-0',
    );
  });

  test('a clock that is ahead is told, and makes nobody late', async () => {
    const { agents, until, fleet } = await following({ nodes: 2 });
    await fleet.begin();
    tellAt(agents[0] as Agent, Date.now() + 60_000);
    await until((events) => events.length === 1);
    tellAt(agents[1] as Agent, Date.now());
    await until((events) => events.length === 2);
    expect(fleet.report.late).toBe(0);
    expect(reportLines(fleet.report).join('\n')).toMatch(
      /the clock of node-0 \(http.*\) is (59|60)\.\d s ahead of ours/,
    );
  });
});

describe('who is silent', () => {
  test('holds nobody back, is told with its reason, and when it is back; nothing of it is missing', async () => {
    const { agents, until, fleet, notes } = await following({ nodes: 3 });
    await fleet.begin();
    for (const agent of agents) tellAt(agent, Date.now());
    await until((events) => events.length === 3);
    const [gone, other] = agents as [Agent, Agent];
    gone.leave();
    await vi.waitFor(() => expect(notes.join('\n')).toMatch(/^node-0 \(http.*\) is silent: .*/m), WAIT);
    expect(fleet.report.silent.map(({ node }) => node)).toEqual(['node-0']);
    tellAt(gone, Date.now());
    tellAt(other, Date.now());
    await until((events) => events.length === 4);
    expect(reportLines(fleet.report).join('\n')).toMatch(
      /silent at the end: 1\n {4}node-0 \(http.*\) since 20.*Z: /,
    );
    gone.comeBack();
    await until((events) => events.length === 5);
    await vi.waitFor(() => expect(notes.join('\n')).toMatch(/^node-0 \(http.*\) is back after/m), WAIT);
    expect(fleet.report).toMatchObject({ events: 5, missing: 0, silent: [] });
  });

  test('a mass of them is told in a few lines', async () => {
    const { agents, fleet, notes } = await following({ nodes: 40 });
    await fleet.begin();
    for (const agent of agents) agent.leave();
    await vi.waitFor(() => expect(notes.join('\n')).toContain('of 40 are silent now'), WAIT);
    expect(notes.length).toBeLessThan(15);
  });

  test('from the beginning, all of them: that is an error', async () => {
    const { agents, fleet } = await following({ nodes: 2 });
    for (const agent of agents) agent.leave();
    await expect(fleet.run()).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
  });

  test('from the beginning, some of them: the others are followed', async () => {
    const { agents, fleet, until, notes } = await following({ nodes: 3 });
    agents[1]?.leave();
    await fleet.begin();
    tellAt(agents[0] as Agent, Date.now());
    await until((events) => events.length === 1);
    await vi.waitFor(() => expect(notes.join('\n')).toMatch(/^node-1 \(http.*\) is silent/m), WAIT);
  });
});

describe('bounds', () => {
  test('who takes no more keeps the rest on the servers, and gets it later, in order', async () => {
    let room: (() => void) | undefined;
    const gate = { isShut: true };
    const { agents, fleet, until } = await following({
      nodes: 4,
      maxBytes: 100_000,
      history: 100_000,
      onPortion: () => (gate.isShut ? new Promise<void>((resolve) => (room = resolve)) : undefined),
    });
    await fleet.begin();
    for (let index = 0; index < 8000; index++) {
      tellAt(agents[index % 4] as Agent, Date.now(), { padding: 500 });
      if (index % 400 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await vi.waitFor(() => expect(fleet.fleet.heldBytes).toBeGreaterThan(100_000), WAIT);
    // What was on the way when it was full comes still: some sockets full.
    expect(fleet.fleet.heldBytes).toBeLessThan(1_500_000);
    gate.isShut = false;
    room?.();
    await until((events) => events.length === 8000);
    expect(fleet.times).toEqual([...fleet.times].sort());
    expect(fleet.report).toMatchObject({ events: 8000, late: 0, missing: 0 });
  });

  test('a past that is far larger than what is held comes as fast as it can be read, in order', async () => {
    const nodes = 400;
    const { agents, fleet, until } = await following({ nodes, maxBytes: 100_000, question: { since: '1h' } });
    const start = Date.now() - 600_000;
    for (let index = 0; index < 20_000; index++)
      tellAt(agents[index % nodes] as Agent, start + index * 29, { padding: 1500 });
    await fleet.begin();
    await until((events) => events.length === 20_000);
    expect(fleet.times).toEqual([...fleet.times].sort());
    expect(fleet.report).toMatchObject({ late: 0, early: 0, missing: 0 });
    expect(fleet.peakBytes).toBeLessThan(100_000 + (nodes + 16) * 3 * READ_BYTES);
  });

  test('a past that waits for one who does not answer stays on the servers, but for what is held', async () => {
    const nodes = 10;
    const { agents, fleet, until } = await following({
      ...{ nodes, maxBytes: 100_000, question: { since: '1h' } },
    });
    const start = Date.now() - 600_000;
    for (let index = 0; index < 20_000; index++)
      tellAt(agents[index % nodes] as Agent, start + index * 29, { padding: 1500 });
    const dead = unanswered();
    fleet.fleet.add('dead', dead.place);
    await fleet.begin();
    let heldBytes = 0;
    const stands = () => {
      const before = heldBytes;
      heldBytes = fleet.fleet.heldBytes;
      expect(heldBytes).toBe(before || Number.NaN);
    };
    await vi.waitFor(stands, { ...WAIT, interval: 300 });
    expect(fleet.events).toEqual([]);
    dead.giveUp();
    await until((events) => events.length === 20_000);
    expect(fleet.times).toEqual([...fleet.times].sort());
    expect(fleet.report).toMatchObject({ late: 0, early: 0, missing: 0 });
    expect(fleet.peakBytes).toBeLessThan(100_000 + (nodes + 1) * (PORTION_BYTES + READ_BYTES));
  });

  test('more within one window than is held does not pile up, and is told', async () => {
    const nodes = 4;
    const { agents, fleet, until } = await following({ nodes, maxBytes: 100_000, question: { since: '1h' } });
    const start = Date.now() - 60_000;
    for (let index = 0; index < 16_000; index++)
      tellAt(agents[index % nodes] as Agent, start + index / 80, { padding: 500 });
    await fleet.begin();
    await until((events) => events.length === 16_000);
    expect(fleet.peakBytes).toBeLessThan(100_000 + nodes * 2 * PORTION_BYTES);
    expect(fleet.times).toEqual([...fleet.times].sort());
    expect(reportLines(fleet.report).join('\n')).toMatch(
      /[\d,]+ events were put in order among fewer others/,
    );
  });

  test('after a pause those that have nothing to say are waited for no longer than it takes to see it', async () => {
    let room = (): void => undefined;
    const gate = { isShut: false };
    const { agents, fleet, until } = await following({
      nodes: 60,
      hasBeats: false,
      maxBytes: 100_000,
      question: { since: '1h' },
      onPortion: () => (gate.isShut ? new Promise<void>((resolve) => (room = resolve)) : undefined),
    });
    for (const agent of agents) tellAt(agent, Date.now() - 60_000);
    await fleet.begin();
    await until((events) => events.length === 60);
    gate.isShut = true;
    const [talker] = agents as [Agent];
    tellAt(talker, Date.now());
    await until((events) => events.length === 61);
    for (const agent of agents) tellAt(agent, Date.now());
    // All of them are not read any more, and that for long, as soon as each has brought one.
    await vi.waitFor(() => expect(fleet.report.events).toBe(121), WAIT);
    const pausedMs = performance.now();
    await vi.waitFor(() => expect(performance.now() - pausedMs).toBeGreaterThan(WINDOW_MS), WAIT);
    gate.isShut = false;
    room();
    for (let index = 0; index < 500; index++) tellAt(talker, Date.now(), { padding: 500 });
    await until((events) => events.length === 621);
    expect(fleet.times).toEqual([...fleet.times].sort());
  });

  test('all that was asked for: then it ends', async () => {
    const { agents, fleet } = await following({ nodes: 2, question: { since: '1h', follow: false } });
    tellAt(agents[1] as Agent, Date.now() - 2000);
    tellAt(agents[0] as Agent, Date.now() - 1000);
    await fleet.run();
    expect(fleet.events.map(({ node }) => node)).toEqual(['node-1', 'node-0']);
  });

  test('one that is taken away is silent no more', async () => {
    const { agents, fleet, notes } = await following({ nodes: 2 });
    await fleet.begin();
    agents[0]?.leave();
    await vi.waitFor(() => expect(fleet.report.silent).toHaveLength(1), WAIT);
    fleet.fleet.remove('node-0');
    expect(fleet.report).toMatchObject({ members: 1, left: 1, silent: [] });
    expect(notes.filter((note) => note.includes('back'))).toEqual([]);
  });
});

describe('a server that takes the place of another on its node', () => {
  test('is followed from its beginning', async () => {
    const { agents, fleet, until, replace } = await following({ nodes: 1 });
    await fleet.begin();
    tellAt(agents[0] as Agent, Date.now());
    await until((events) => events.length === 1);
    await replace('mwsegiks', 3);
    await until((events) => events.length === 4);
  });

  test('is followed from its beginning where nothing was ever heard of the other', async () => {
    const { agents, fleet, until, replace } = await following({ nodes: 2 });
    agents[0]?.leave();
    await fleet.begin();
    await vi.waitFor(() => expect(fleet.report.silent).toHaveLength(1), WAIT);
    const successor = await replace('mwsegiks', 3);
    await until((events) => events.length === 3);
    tellAt(successor, Date.now());
    await until((events) => events.length === 4);
    expect(fleet.report.missing).toBe(0);
  });

  test.each([false, true])(
    'is followed from now on while the other is there (heard: %s)',
    async (isHeard) => {
      const { agents, fleet, until, addTo } = await following({ nodes: 1 });
      if (!isHeard) fleet.fleet.add('dead', unanswered().place, 'node-1');
      await fleet.begin();
      tellAt(agents[0] as Agent, Date.now());
      await until((events) => events.length === 1);
      const second = await addTo(isHeard ? 'node-0' : 'node-1', 'mwsegiks', 3);
      await vi.waitFor(() => expect(second.readers).toBe(1), WAIT);
      tellAt(second, Date.now());
      await until((events) => events.length > 1);
      expect(fleet.events).toHaveLength(2);
    },
  );

  test('that remembers what the other told does not tell it again', async () => {
    const { agents, fleet, until, replace } = await following({ nodes: 1, question: { since: '1h' } });
    for (let index = 0; index < 5; index++) tellAt(agents[0] as Agent, Date.now());
    await fleet.begin();
    await until((events) => events.length === 5);
    const successor = await replace('mwsegikr', 5);
    await vi.waitFor(() => expect(successor.readers).toBe(1), WAIT);
    tellAt(successor, Date.now());
    await until((events) => events.length === 6);
    expect(fleet.report).toMatchObject({ members: 1, left: 1, events: 6 });
  });
});

const WINDOW_MS = 400;
/** What one connection may bring at a time. */
const PORTION_BYTES = 64 << 10;
/** What is read of each plain connection at a time. */
const READ_BYTES = 8 << 10;
const WAIT = { timeout: 15_000, interval: 20 };

interface Wanted {
  readonly nodes: number;
  readonly question?: { since?: string; follow?: boolean };
  readonly maxBytes?: number;
  readonly history?: number;
  readonly hasBeats?: boolean;
  readonly onPortion?: FleetOptions['onPortion'];
}

async function following({ nodes, question = {}, history = 10_000, hasBeats = true, ...options }: Wanted) {
  const server = await new Agents().listen();
  onTestFinished(() => server.close());
  const agents = Array.from({ length: nodes }, (_, index) =>
    server.add(`node-${index}`, { history, hasBeats }),
  );
  const events: TraceEvent[] = [];
  const notes: string[] = [];
  const stop = new AbortController();
  let peakBytes = 0;
  const fleet = new Fleet({
    ...options,
    question: { filters: {}, follow: true, ...question },
    windowMs: WINDOW_MS,
    note: (text) => notes.push(text),
    onEvent: ({ event }) => {
      peakBytes = Math.max(peakBytes, fleet.heldBytes);
      if (event) events.push(event);
    },
  });
  const placeOf = (agent: Agent) => placeOpener({ token: () => undefined })(parseTarget(server.urlOf(agent)));
  /** Has another take the place of the first, that has told so many events before it is found. */
  const replace = (epoch: string, told: number) => {
    fleet.remove('node-0');
    return addTo('node-0', epoch, told);
  };
  const addTo = async (node: string, epoch: string, told: number) => {
    const successor = server.add(node, { epoch });
    for (let index = 0; index < told; index++) tellAt(successor, Date.now());
    fleet.add('successor', await placeOf(successor), node);
    return successor;
  };
  const run = async () => {
    for (const agent of agents) fleet.add(agent.node, await placeOf(agent), agent.node);
    fleet.complete();
    await fleet.run(stop.signal);
  };
  /** Runs it until the test ends. Resolves when those can be reached that can. */
  const begin = async () => {
    const running = run();
    const failed = running.then(() => undefined);
    onTestFinished(async () => {
      stop.abort();
      await running.catch(() => undefined);
    });
    const known = vi.waitFor(() => {
      if (agents.some((agent) => agent.readers === 0 && !agent.isAway)) throw new Error('not yet');
    }, WAIT);
    await Promise.race([known, failed]);
  };
  const until = (holds: (events: readonly TraceEvent[]) => boolean) =>
    vi.waitFor(() => expect(holds(events), `${events.length} events`).toBe(true), WAIT);
  const view = {
    ...{ fleet, events, begin, run },
    get times() {
      return events.map(({ time }) => time);
    },
    get report() {
      return fleet.report;
    },
    /** The most that was held when an event was let go. */
    get peakBytes() {
      return peakBytes;
    },
  };
  return { agents, fleet: view, until, notes, replace, addTo };
}

/** A place to which one connects until somebody gives up. */
function unanswered(): { place: Place; giveUp: () => void } {
  let giveUp = (): void => undefined;
  const connect = () =>
    new Promise<never>((_, reject) => {
      giveUp = () => reject(new TracerError('E_UNREACHABLE', 'it did not answer'));
    });
  const place = { name: 'dead', host: 'dead', prefix: '', token: () => undefined, connect };
  return { place, giveUp: () => giveUp() };
}

function tellAt(agent: Agent, ms: number, fields: Parameters<typeof aDrop>[0] = {}): void {
  const time = `${new Date(ms).toISOString().slice(0, -1)}000000Z`;
  agent.tell({ ...aDrop({ ...fields, time }), node: agent.node });
}
