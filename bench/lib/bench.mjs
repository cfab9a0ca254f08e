import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../../scripts/lib/command.mjs';
import { Agent, crowdAround } from './agent.mjs';
import { chooseCases, EMPTY_PROBE } from './cases.mjs';
import { chooseCpus, Flood } from './flood.mjs';
import { bpftraceVersion } from './machine.mjs';
import { MEASURES } from './measures.mjs';
import { Patience } from './patience.mjs';
import { median, round } from './statistics.mjs';
import { Trace } from './trace.mjs';

/** Takes all measures of all tracers. What went wrong without ending it is in `problems`. */
export class Bench {
  cpus = chooseCpus();
  problems = [];
  #choose;
  #measures;

  /** Makes a lab and a directory; close() removes them. `choose` gives the tracers of these names. */
  static async open(options, signal, { choose = chooseCases, measures = MEASURES } = {}) {
    const bench = new Bench();
    bench.#choose = choose;
    bench.#measures = measures;
    bench.options = options;
    bench.signal = signal;
    bench.patience = new Patience(options.patienceSeconds, signal);
    bench.scratch = await mkdtemp(join(options.scratch, 'rpftrace-bench-'));
    try {
      bench.flood = await Flood.open(signal);
      bench.agent = await new Agent(join(bench.scratch, 'agent.sock'), crowdAround(bench.flood)).open();
      bench.facts = await bench.#describe();
    } catch (error) {
      await bench.close();
      throw error;
    }
    return bench;
  }

  /** Resolves to what was measured, by tracer and measure. */
  async run() {
    const tracers = await this.#usable(this.#choose(this.options.only));
    const cases = Object.fromEntries(tracers.map(({ name, title }) => [name, { title }]));
    for (const name of this.options.measures) await this.#measure(name, tracers, cases);
    return { cases, repeated: this.patience.repeated, problems: this.problems };
  }

  /** Runs a tracer while `work` is done with it. */
  async withTrace(tracer, options, work) {
    const trace = await Trace.start(tracer, { scratch: this.scratch, signal: this.signal, ...options });
    try {
      return await work(trace);
    } finally {
      await trace.close();
    }
  }

  /** Every drop that the kernel made must be one that was sent, and be accounted for by a tracer of ours. */
  check(tracer, { sent, dropped }, { counted, lost, problems }) {
    if (dropped !== sent) this.fail(`${sent} packets were sent, but the kernel dropped ${dropped}`);
    if (!tracer.isOurs) return;
    const missing = dropped - counted - lost;
    if (missing !== 0) this.fail(`${tracer.title}: ${missing} of ${dropped} drops are not accounted for`);
    for (const problem of problems) this.fail(`${tracer.title}: ${problem}`);
  }

  fail(problem) {
    this.problems.push(problem);
  }

  async close() {
    this.agent?.close();
    await this.flood?.close();
    await rm(this.scratch, { recursive: true, force: true });
  }

  /** Leaves out a rival that does not start here, and says why. */
  async #usable(tracers) {
    const usable = [];
    for (const tracer of tracers) {
      try {
        if (!tracer.isOurs) await this.withTrace(tracer, {}, async () => undefined);
        usable.push(tracer);
      } catch (error) {
        process.stderr.write(`left out: ${tracer.title}: ${error.message}\n`);
      }
    }
    this.signal.throwIfAborted();
    return usable;
  }

  /** How the drops of the flood can be told from all others. */
  async #describe() {
    return { netns: this.flood.netns, device: this.flood.device, reason: await reasonNumber() };
  }

  /** All tracers in turns, so that what disturbs the machine for a while disturbs them alike. */
  async #measure(name, tracers, cases) {
    const { rounds, once, summarize, suits = () => true } = this.#measures[name];
    const suitable = tracers.filter(suits);
    const samples = new Map(suitable.map((tracer) => [tracer, []]));
    for (let round = 1; round <= rounds(this.options); round++) {
      for (const tracer of suitable) {
        process.stderr.write(`${name} ${round} of ${rounds(this.options)}: ${tracer.title}\n`);
        samples.get(tracer).push(await this.patience.take(() => once(this, tracer)));
      }
    }
    for (const tracer of suitable) cases[tracer.name][name] = summarize(samples.get(tracer));
  }

  /** The sender alone, and what the measuring of BPF time itself takes. */
  async untraced(cases) {
    const runs = Object.values(cases).flatMap(({ flood }) => flood?.runs ?? []);
    const speeds = runs.flatMap((run) => run.untraced_per_second);
    const result = { title: 'no tracer' };
    if (speeds.length > 0) result.flood = { sender_per_second: round(median(speeds)), ratio: 1 };
    if (this.options.measures.includes('bpf') && bpftraceVersion()) {
      process.stderr.write('bpf: an empty program\n');
      result.bpf = await MEASURES.bpf.once(this, EMPTY_PROBE);
    }
    return result;
  }
}

/** IP_RPFILTER's number differs from kernel to kernel. */
async function reasonNumber() {
  const { loadAddon } = await import(pathToFileURL(join(root, 'dist', 'addon.js')).href);
  for (const [number, name] of loadAddon().reasons()) {
    if (name === 'IP_RPFILTER') return number;
  }
  return undefined;
}
