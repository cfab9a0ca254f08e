import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { root, Stop } from '../../scripts/lib/command.mjs';
import { busySeconds } from './machine.mjs';

/**
 * Real IP_RPFILTER drops: the lab's pod sends to the world, and its node, in strict mode, would send the answer out of
 * another device. The kernel drops a packet on the CPU that sent it, so the sender pays for the tracer's work.
 */
export class Flood {
  #lab;
  #library;
  #signal;

  /** Builds a lab of its own. */
  static async open(signal) {
    const flood = new Flood();
    flood.#library = await importLab();
    flood.#signal = signal;
    flood.#lab = new flood.#library.Lab(`bench-${process.pid}`);
    try {
      await flood.#lab.up(signal);
      await flood.#lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter', signal);
      return flood;
    } catch (error) {
      await flood.close();
      throw error;
    }
  }

  /** Inode number of the network namespace that the drops happen in. */
  get netns() {
    return this.#lab.inode('node');
  }

  get device() {
    return 'lxcabcd';
  }

  /** Of the pod. */
  get address() {
    return this.#library.ADDRESS.pod;
  }

  /**
   * Sends `count` packets, `rate` a second or as fast as possible, and waits until the kernel has dropped them all.
   * `dropped` is by how much its own counter rose, `othersSeconds` the CPU time that all but the sender took meanwhile.
   */
  async send(count, rate) {
    const before = await this.#counter();
    const packet = {
      from: 'pod',
      kind: 'udp',
      src: this.#library.ADDRESS.pod,
      dst: this.#library.ADDRESS.world,
    };
    const startedMs = Date.now();
    const busy = busySeconds();
    const sent = await this.#library.send(this.#lab, packet, { count, rate, signal: this.#signal });
    const seconds = sent.elapsedNs / 1e9;
    const othersSeconds = busy() - seconds;
    const dropped = await this.#settle(before, sent.sent);
    return { ...sent, startedMs, dropped, seconds, othersSeconds, perSecond: sent.sent / seconds };
  }

  async close() {
    await this.#lab.down();
  }

  /** What is still in the kernel's backlog when the sender ends is dropped within moments. */
  async #settle(before, sent) {
    const deadline = performance.now() + 5000;
    for (;;) {
      const dropped = (await this.#counter()) - before;
      if (dropped >= sent || performance.now() > deadline) return dropped;
      await sleep(10, undefined, { signal: this.#signal });
    }
  }

  async #counter() {
    const { reversePathFilter } = await this.#library.readCounters(this.#lab, this.#signal);
    return reversePathFilter;
  }
}

/** The CPUs that we may use: the sender has the first, the tracer the last. */
export function chooseCpus() {
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const numbers = list.split(/[,-]/).map(Number);
  return { sender: numbers[0], tracer: numbers.at(-1) };
}

/** The lab as it was built. Throws a Stop where it was not. */
export async function importLab() {
  const parts = ['lab.js', 'sender.js', 'counters.js', 'topology.js', 'process.js'];
  try {
    const urls = parts.map((part) => pathToFileURL(join(root, 'dist', 'lab', part)).href);
    return Object.assign({}, ...(await Promise.all(urls.map((url) => import(url)))));
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Stop('the program is not built yet; run: npm run build');
  }
}
