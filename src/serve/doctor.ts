import { examine } from '../doctor/doctor.js';
import { bookOf } from '../doctor/pod-book.js';
import type { Report } from '../doctor/report.js';
import type { ServerState } from './state.js';

/** What `rpftrace doctor` would say, with the pods that the capture knows. However many ask: looked at once in a while. */
export class Doctor {
  readonly #server: ServerState;
  #report: Promise<Report> | undefined;
  #atMs = 0;

  constructor(server: ServerState) {
    this.#server = server;
  }

  report(): Promise<Report> {
    if (this.#report && performance.now() - this.#atMs < KEEP_MS) return this.#report;
    this.#atMs = performance.now();
    this.#report = this.#examine();
    this.#report.catch(() => {
      this.#report = undefined;
    });
    return this.#report;
  }

  #examine(): Promise<Report> {
    const { addon, node, session, sources } = this.#server;
    const book = bookOf(
      session.pipeline.pods.index.pods,
      sources.map(({ state }) => state),
    );
    return examine({ addon, node, netns: undefined, book });
  }
}

/** It takes some hundred milliseconds of a CPU. */
const KEEP_MS = 10_000;
