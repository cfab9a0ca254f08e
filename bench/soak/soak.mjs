import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { read, root } from '../../scripts/lib/command.mjs';
import { Agent, endpoint } from '../lib/agent.mjs';
import { Collector } from '../lib/collector.mjs';
import { describeMachine, loadAverage } from '../lib/machine.mjs';
import { round } from '../lib/statistics.mjs';
import { SettableClock } from './clock.mjs';
import { trend } from './memory.mjs';
import { Pace } from './pace.mjs';
import { Readers } from './readers.mjs';
import { Server } from './server.mjs';
import { judgeSoak } from './verdict.mjs';
import { Weather } from './weather.mjs';
import { World } from './world.mjs';

/** One soak from its beginning to its end. */
export class Soak {
  #options;
  #pace;
  #world;
  #server;
  #agent;
  #collector;
  #clock;
  #samples = [];
  #scrapes = [];
  /** How late this process itself is: readers that are late lose what was forgotten meanwhile. */
  #lag = monitorEventLoopDelay();
  #flips = 0;
  #diskMost = 0;

  /** Resolves to all figures and what was wrong. */
  static async run(options) {
    const soak = new Soak();
    soak.#options = options;
    soak.#pace = new Pace(options.signal);
    try {
      await soak.#open();
      return await soak.#run();
    } finally {
      await soak.#close();
    }
  }

  async #open() {
    const { scratch, library } = this.#options;
    this.#world = await World.open(library);
    const socket = join(scratch, 'agent.sock');
    const endpoints = () => this.#world.pods.map(({ id, device, address }) => endpoint(id, device, address));
    this.#agent = await new Agent(socket, endpoints).open();
    this.#collector = canSend() ? await new Collector().open() : undefined;
    this.#clock = new SettableClock(scratch);
    const environment = this.#clock.environment;
    this.#server = await Server.start({ scratch, config: this.#config, environment });
  }

  /** Little is remembered, so that all of it is forgotten many times over. */
  get #config() {
    const { scratch, seconds } = this.#options;
    const { memory, disk } = proportionsOf(seconds);
    return {
      history: { memory, directory: join(scratch, 'history'), disk },
      limits: { readers: 64, series: 100 },
      capture: { netns: [this.#world.netns], node: 'soak' },
      sources: {
        ...{ cilium_socket: join(scratch, 'agent.sock') },
        ...{ cri: false, kubernetes: false, processes: false },
      },
      ...(this.#collector && { otlp: { url: this.#collector.url } }),
    };
  }

  async #run() {
    const begun = { machine: describeMachine(this.#options.scratch), load: loadAverage() };
    const server = this.#server;
    const readers = new Readers(server.places, this.#pace, proportionsOf(this.#options.seconds));
    this.#lag.enable();
    await this.#warmUp();
    const before = { ...server.holdings(), bpf: server.bpfIds() };
    await readers.open();
    const weather = this.#makeWeather();
    await this.#goOn([...readers.loops(), ...weather.loops(), ...this.#loops()]);
    await this.#calmDown(weather, readers);
    const after = await this.#settle(before, readers);
    const status = await server.json('/v1/status');
    await readers.catchUp();
    const exitCode = await server.stop();
    await readers.over();
    return this.#result({ begun, readers, weather, before, after, status, exitCode });
  }

  /** Everything has been done once before anything is counted. */
  async #warmUp() {
    await this.#world.addPod();
    await this.#flip();
    await this.#server.get('/v1/doctor');
    await this.#server.get('/metrics');
  }

  #makeWeather() {
    return new Weather({
      ...{ server: this.#server, config: this.#config, pace: this.#pace },
      ...{ agent: this.#agent, collector: this.#collector, clock: this.#clock },
    });
  }

  #loops() {
    const { every } = this.#pace;
    return [
      every(1000 / PODS_PER_SECOND, () => this.#world.addPod()),
      every(1000 / PODS_PER_SECOND, () => this.#world.pods.length > PODS && this.#world.removePod()),
      every(0, () => this.#flip()),
      every(1000, () => this.#sample()),
    ];
  }

  /** Until time is up, or one of them fails: then all end, and it throws. */
  async #goOn(loops) {
    const { seconds, signal } = this.#options;
    const timer = setTimeout(() => this.#pace.end(), seconds * 1000);
    for (const loop of loops) loop.catch(() => this.#pace.end());
    const failed = (await Promise.allSettled(loops)).find(({ status }) => status === 'rejected');
    clearTimeout(timer);
    signal.throwIfAborted();
    if (failed) throw failed.reason;
  }

  /** Somebody turns rp_filter on, pods lose packets, and he turns it off again. */
  async #flip() {
    const world = this.#world;
    await world.refuse(true);
    for (let turn = 0; turn < SENDS_PER_FLIP; turn++) await world.send(this.#someone(), TRAFFIC);
    await world.refuse(false);
    this.#flips++;
    await world.send(this.#someone(), { ...TRAFFIC, count: 20 });
    await this.#pace.pause(QUIET_MS);
  }

  /** One of the younger ones: the oldest are about to go. */
  #someone() {
    const pods = this.#world.pods.filter(({ isBusy }) => !isBusy);
    const young = pods.slice(Math.floor(pods.length / 2));
    return young[(this.#flips * 7) % young.length];
  }

  async #sample() {
    const s = round(performance.now() / 1000, 1);
    const { rss_mb: value } = this.#server.holdings();
    this.#samples.push({ s, value: round(value, 2) });
    const { history } = await this.#server.json('/v1/status');
    this.#diskMost = Math.max(this.#diskMost, history.disk_bytes);
    if (this.#samples.length % 10 === 0) this.#scrapes.push({ s, ...(await this.#heap()) });
  }

  async #heap() {
    const { body } = await this.#server.get('/metrics');
    const megabytes = (name) => round(Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1]) / 1e6, 2);
    return {
      heap_mb: megabytes('nodejs_heap_size_used_bytes'),
      external_mb: megabytes('nodejs_external_memory_bytes'),
    };
  }

  /** All pods are gone, everything is as at the beginning, and who keeps up has been told everything. */
  async #calmDown(weather, { keepers }) {
    await weather.clear();
    const { pods } = this.#world;
    while (pods.length > 1) await this.#world.removePod();
    await this.#until(async () => {
      const { incidents_open: open } = await this.#server.json('/v1/status');
      return open === 0 && keepers.every(({ refused }) => refused >= this.#world.counter);
    });
    this.problems = weather.problems;
  }

  /** Resolves to what it holds, as soon as that is no more than before, or after a while. */
  async #settle(before, readers) {
    let after;
    // One look for both: a namespace that is looked into is open for a moment.
    await this.#until(async () => {
      after = this.#server.holdings();
      return exceeding(before, after, readers.open).length === 0;
    });
    return { ...after, bpf: this.#server.bpfIds(), exceeding: exceeding(before, after, readers.open) };
  }

  async #until(holds) {
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
      if (await holds()) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  #result({ begun, readers, weather, before, after, status, exitCode }) {
    const { seconds } = this.#options;
    const result = {
      v: 1,
      ...{
        started: begun.machine && new Date(Date.now() - seconds * 1000).toISOString(),
        machine: begun.machine,
      },
      load: { before: begun.load, after: loadAverage() },
      seconds,
      hours_of_a_day: round((seconds * PODS_PER_SECOND * 24) / PODS_PER_DAY, 1),
      pods: this.#world.made,
      flips: this.#flips,
      weather: weather.counts,
      drops: { sent: this.#world.refused, kernel: this.#world.counter },
      readers: {
        opened: readers.opened,
        ...Object.fromEntries(
          ['keepers', 'hoppers', 'stallers', 'sleepers'].map((name) => [name, readers[name].map(figuresOf)]),
        ),
      },
      history: { ...status.history, disk_most: this.#diskMost },
      memory: { ...trend(this.#samples), samples: this.#samples, heap: this.#scrapes },
      holdings: { before, after },
      late_ms: round(this.#lag.max / 1e6),
      said: this.#server.stderr.split('\n').filter((line) => /history:|collector/.test(line)),
      exit_code: exitCode,
    };
    return { ...result, problems: [...weather.problems, ...judgeSoak(result, readers, this.#server.stderr)] };
  }

  async #close() {
    this.#pace.end();
    await this.#server?.kill();
    this.#clock?.close();
    this.#agent?.close();
    this.#collector?.close();
    await this.#world?.close();
  }
}

/**
 * How much is remembered, and for how long who does not keep up stays away: so long that it is forgotten, and that so soon that it
 * is forgotten many times over.
 */
function proportionsOf(seconds) {
  if (seconds < 300) return { memory: '1M', disk: '2M', sleepMs: 45_000, stallMs: 30_000 };
  return { memory: '4M', disk: '8M', sleepMs: 180_000, stallMs: 90_000 };
}

/** Where serve cannot send to a collector yet, there is none. */
function canSend() {
  return /--otlp /.test(read(join(root, 'bin', 'rpftrace'), ['serve', '--help']) ?? '');
}

/** Kinds of file descriptors of which there are more than before; each reader that is there has one socket. */
function exceeding(before, after, readers) {
  const allowed = (kind) => (before.fds[kind] ?? 0) + (kind === 'socket' ? readers : 0);
  return Object.entries(after.fds).flatMap(([kind, count]) =>
    count > allowed(kind) ? `${count} ${kind}, ${allowed(kind)} were due` : [],
  );
}

function figuresOf({ events, refused, drops, lost, opened, closed }) {
  return { events, refused, drops, lost, incidents_opened: opened.size, incidents_closed: closed.size };
}

/**
 * A node with 110 pods, kubelet's default, that are replaced all the time, a job each half a minute among them, has about 3,000
 * new ones a day: within ten minutes five a second.
 */
const PODS_PER_DAY = 3000;
const PODS_PER_SECOND = 5;
/** How many there are at a time. */
const PODS = 40;
/** Each flip takes some 4 s: 150 in ten minutes, one each ten minutes of a day. */
const SENDS_PER_FLIP = 6;
const TRAFFIC = { count: 1000, flows: 20, rate: 4000 };
/** After that an incident that was ended by a setting is over: an interval and half a second, src/incident/incidents.ts */
const QUIET_MS = 1700;
const PATIENCE_MS = 40_000;
