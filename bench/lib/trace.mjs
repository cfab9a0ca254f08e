import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync, watch } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { path, root, Stop } from '../../scripts/lib/command.mjs';
import { peakRssBytes } from './usage.mjs';

/** A tracer at work: its process, what it writes, how it ends. */
export class Trace {
  #child;
  #directory;
  #scratch;
  #exit;
  #stderr = '';
  #isOurs = false;
  /** Where the tracer finds what it has to work with. */
  places;
  /** ms from before the process is made until it is attached. */
  attachedMs;

  /**
   * Starts a tracer and resolves when it is attached. `cpu`: the only one that it may use; `stdout`: a file descriptor to
   * use instead of the file `output`; `places`: what is around it, for its command.
   */
  static async start(tracer, { scratch, cpu, stdout, signal, places = {} }) {
    signal.throwIfAborted();
    const trace = new Trace();
    trace.#scratch = scratch;
    trace.places = places;
    trace.#isOurs = tracer.isOurs === true;
    trace.#directory = await mkdtemp(join(scratch, 'trace-'));
    try {
      await trace.#start(tracer, { cpu, stdout, signal });
      return trace;
    } catch (error) {
      await trace.close();
      throw error;
    }
  }

  get pid() {
    return this.#child.pid;
  }

  /** Of its own, gone when it is. */
  get directory() {
    return this.#directory;
  }

  /** The file that the tracer writes its lines to. */
  get output() {
    return join(this.#directory, 'output');
  }

  /** Socket of the Cilium agent that knows the bench's pods. */
  get agent() {
    return join(this.#scratch, 'agent.sock');
  }

  /** Where a server listens. */
  get socket() {
    return join(this.#directory, 'serve.sock');
  }

  /** Where a server keeps its history. */
  get history() {
    return join(this.#directory, 'history');
  }

  /** What it said on standard error. */
  get words() {
    return this.#stderr;
  }

  /** Appears when the tracer is attached, if it can make one. */
  get readyFile() {
    return join(this.#directory, 'ready');
  }

  /**
   * Resolves when nothing was written for `quietMs`, to the time at which the last line was: ms since 1970. Others may
   * lose packets without end, so it does not wait longer than a few times as long.
   */
  async settle(quietMs, signal) {
    for (let wait = 1; ; wait++) {
      const { size } = statSync(this.output);
      await sleep(quietMs, undefined, { signal });
      const { size: now, mtimeMs } = statSync(this.output);
      if (now === size || wait === MAX_WAITS) return mtimeMs;
    }
  }

  /** Ends the tracer as a user would. Resolves to the most memory that it ever had, in bytes. */
  async stop() {
    const interrupt = () => this.#child.kill('SIGINT');
    interrupt();
    // bpftrace overlooks a signal that comes while it is not waiting for events; ours takes a second one for haste.
    const again = this.#isOurs ? undefined : setInterval(interrupt, INTERRUPT_AGAIN_MS);
    const peakRss = await this.#watchRss();
    clearInterval(again);
    const { code, signal } = await this.#exit;
    if (code !== 0) throw new Stop(`the tracer ended with ${code ?? signal}: ${this.#stderr.trim()}`);
    return peakRss;
  }

  /** Removes what it has written; ends it if it still runs. */
  async close() {
    if (this.#child && this.#isRunning) {
      this.#child.kill('SIGKILL');
      await this.#exit;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #isRunning() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #start(tracer, { cpu, stdout, signal }) {
    const words = tracer.command(this, stdout === undefined);
    const [command, ...args] = cpu === undefined ? words : ['taskset', '--cpu-list', String(cpu), ...words];
    const output = stdout ?? openSync(this.output, 'w');
    const begin = performance.now();
    this.#child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', output, 'pipe'],
      env: { ...process.env, PATH: path, ...tracer.environment },
      signal,
      killSignal: 'SIGKILL',
    });
    if (stdout === undefined) closeSync(output);
    this.#watchExit();
    await Promise.race([this.#attached(tracer), this.#endedEarly()]);
    this.attachedMs = performance.now() - begin;
  }

  #watchExit() {
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text;
    });
    this.#child.on('error', (error) => {
      this.#stderr += error.message;
    });
    this.#exit = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  async #endedEarly() {
    const { code, signal } = await this.#exit;
    throw new Stop(`the tracer ended with ${code ?? signal} instead of tracing: ${this.#stderr.trim()}`);
  }

  /** Looks when a file appears beside the ready file and when something is said. */
  async #attached({ readyText }) {
    const isReady = () => (readyText ? this.#stderr.includes(readyText) : existsSync(this.readyFile));
    const watcher = watch(this.#directory);
    try {
      await new Promise((resolve) => {
        const check = () => isReady() && resolve();
        watcher.on('change', check);
        this.#child.stderr.on('data', check);
        this.#child.on('close', resolve);
        check();
      });
    } finally {
      watcher.close();
    }
  }

  async #watchRss() {
    let peak = 0;
    while (this.#isRunning) {
      peak = Math.max(peak, peakRssBytes(this.pid));
      await Promise.race([this.#exit, sleep(RSS_INTERVAL_MS)]);
    }
    return peak;
  }
}

const MAX_WAITS = 4;
const INTERRUPT_AGAIN_MS = 3000;
const RSS_INTERVAL_MS = 10;

/** What a file of lines holds; for tracers whose output is small. */
export function readOutput(trace) {
  return readFileSync(trace.output, 'utf8');
}
