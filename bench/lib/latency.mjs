import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { quantile, round } from './statistics.mjs';

export const RATE = 10_000;

/**
 * From the drop, by the kernel's clock, to the moment at which its line can be read from the tracer's standard output, a
 * pipe. In ms. Both ends are held against the same wall clock.
 */
export async function measureLatency(bench, tracer) {
  const pipe = openPipe(join(bench.scratch, 'pipe'));
  const reader = new LineReader(pipe.readEnd);
  try {
    return await bench.withTrace(tracer, { cpu: bench.cpus.tracer, stdout: pipe.writeEnd }, async (trace) => {
      closeSync(pipe.writeEnd);
      const { dropped } = await bench.flood.send(RATE * bench.options.latencySeconds, RATE);
      await trace.stop();
      const delays = delaysOf(await reader.end(), bench.facts.netns);
      if (delays.length !== dropped) bench.fail(`latency: ${dropped} drops, but ${delays.length} lines`);
      return { rate: RATE, ...summarizeDelays(delays) };
    });
  } finally {
    reader.close();
  }
}

export function summarizeDelays(delays) {
  const at = (share) => round(quantile(delays, share), 2);
  return { lines: delays.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) };
}

/** A pipe with a name, because what spawn() makes is a pair of sockets. */
function openPipe(path) {
  execFileSync('mkfifo', [path]);
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  rmSync(path);
  return { readEnd, writeEnd };
}

/** Notes when each piece came and leaves reading it for later. */
class LineReader {
  #pieces = [];
  #socket;
  #ended;
  #clock = new WallClock();

  constructor(fd) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (bytes) => this.#pieces.push({ bytes, atNs: process.hrtime.bigint() }));
    this.#ended = new Promise((resolve, reject) => {
      this.#socket.on('end', resolve);
      this.#socket.on('error', reject);
    });
    this.#ended.catch(() => undefined); // whoever waits for it is told
  }

  /** All lines, once the pipe is closed, each with the wall clock's time, in ns, at which its end came. */
  async end() {
    await this.#ended;
    return linesOf(this.#pieces, this.#clock);
  }

  close() {
    this.#socket.destroy();
  }
}

/** All lines of pieces that came one after the other, each with the wall clock's time, in ns, at which its end came. */
export function linesOf(pieces, clock) {
  const lines = [];
  let rest = '';
  for (const { bytes, atNs } of pieces) {
    const parts = (rest + bytes.toString('utf8')).split('\n');
    rest = parts.pop();
    for (const text of parts) lines.push({ text, atNs: clock.toWall(atNs) });
  }
  return lines;
}

/** Turns times of process.hrtime, which is the kernel's monotonic clock, into times of the wall clock. */
export class WallClock {
  #offsetNs = measureWallOffset();

  toWall(monotonicNs) {
    return monotonicNs + this.#offsetNs;
  }
}

/** The wall clock can be read in ms only, so it is read at the moment it moves on: exact to a microsecond or two. */
function measureWallOffset() {
  let best = { spanNs: 1_000_000_000n, offsetNs: 0n };
  for (let round = 0; round < 20; round++) {
    const candidate = watchWallClockTick();
    if (candidate.spanNs < best.spanNs) best = candidate;
  }
  return best.offsetNs;
}

function watchWallClockTick() {
  const from = Date.now();
  let before = process.hrtime.bigint();
  for (;;) {
    const now = Date.now();
    const after = process.hrtime.bigint();
    if (now !== from) return { spanNs: after - before, offsetNs: BigInt(now) * 1_000_000n - after };
    before = after;
  }
}

/** Of the lines about the drops of a flood, each with the wall clock's ns at which it came: how long that took, ms. */
export function delaysOf(lines, netns) {
  return lines
    .map(({ text, atNs }) => ({ event: JSON.parse(text), atNs }))
    .filter(
      ({ event }) => event.kind === 'drop' && event.reason === 'IP_RPFILTER' && event.device.netns === netns,
    )
    .map(({ event, atNs }) => Number(atNs - wallNs(event.time)) / 1e6);
}

/** "2026-11-22T09:49:05.123456789Z" in ns since 1970. */
function wallNs(time) {
  const seconds = Date.parse(`${time.slice(0, 19)}Z`) / 1000;
  return BigInt(seconds) * 1_000_000_000n + BigInt(time.slice(20, 29));
}
