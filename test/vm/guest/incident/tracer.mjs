import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { waitFor } from './wait.mjs';

/** `rpftrace trace` as it is installed, for as long as it is needed. */
export class Tracer {
  events = [];
  /** What it says besides events. */
  words = '';
  #child;

  /** Resolves when everything is attached. */
  static async start(program, args) {
    const tracer = new Tracer();
    tracer.#child = spawn(program, ['trace', '-o', 'ndjson', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines = createInterface(tracer.#child.stdout);
    lines.on('line', (line) => tracer.events.push(JSON.parse(line)));
    tracer.#child.stderr.setEncoding('utf8').on('data', (text) => {
      tracer.words += text;
    });
    await tracer.until(({ kind }) => kind === 'start', 'the tracer has not started');
    return tracer;
  }

  /** The first event from number `from` on that is as wanted, as soon as it is there. */
  async until(wanted, otherwise, from = 0) {
    return await waitFor(() => this.events.slice(from).find(wanted), otherwise);
  }

  /** What was said last of an incident. */
  latest(id) {
    return this.events.findLast(({ kind, id: other }) => kind === 'incident' && other === id);
  }

  /** Its last event. */
  async stop() {
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGINT');
    await ended;
    return this.events.at(-1);
  }
}
