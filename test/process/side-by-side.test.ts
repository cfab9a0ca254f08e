import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, expect, it } from 'vitest';
import { loadAddon } from '../../src/addon.js';
import { DropSource } from './support/drops.js';
import { emitted, lost, parseEvents, reconciledIn, startTrace, stopOf } from './support/program.js';

const source = new DropSource();
const DROPS = 20_000;

afterAll(() => source.remove());

it('two of rpftrace and a bpftrace at the same tracepoint count the same drops, each all of them', async () => {
  const here = ['-o', 'ndjson', '--rpf-only', '--netns', source.path];
  await using bpftrace = await Bpftrace.start();
  const flows = await startTrace(here);
  const every = await startTrace([...here, '--every']);
  const before = source.counter;
  await source.drop(DROPS, { flows: 10, rate: 20_000 });

  const [byFlow, byDrop] = [await flows.stop(), await every.stop()].map(({ stdout }) => parseEvents(stdout));
  const counted = await bpftrace.stop();

  expect(source.counter - before).toBe(DROPS);
  expect(counted.get(source.inode)).toBe(DROPS);
  for (const events of [byFlow, byDrop]) {
    expect(emitted(events ?? []) + lost(events ?? [])).toBe(DROPS);
    expect(stopOf(events ?? [])).toMatchObject({ conservation: { holds: true } });
    expect(reconciledIn(stopOf(events ?? []), source)).toBe(true);
  }
});

/** Counts the drops with reason IP_RPFILTER of each network namespace. */
class Bpftrace implements AsyncDisposable {
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';

  private constructor() {
    const [reason] = [...loadAddon().reasons()].find(([, name]) => name === 'IP_RPFILTER') ?? [];
    const script = `tracepoint:skb:kfree_skb /args->reason == ${reason}/ {
      $skb = (struct sk_buff *)args->skbaddr;
      @[$skb->dev->nd_net.net->ns.inum] = count();
    }`;
    this.#child = spawn('bpftrace', ['-e', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, __BPFTRACE_NOTIFY_PROBES_ATTACHED: '1' }, // as its own tests do
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
  }

  /** Resolves when it is attached. */
  static async start(): Promise<Bpftrace> {
    const bpftrace = new Bpftrace();
    const child = bpftrace.#child;
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        bpftrace.#stderr += text;
        if (bpftrace.#stderr.includes('__BPFTRACE_NOTIFY_PROBES_ATTACHED')) resolve();
      });
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`bpftrace ended with ${code}: ${bpftrace.#stderr}`)));
    });
    return bpftrace;
  }

  /** Drops by network namespace. */
  async stop(): Promise<ReadonlyMap<number, number>> {
    await this[Symbol.asyncDispose]();
    const lines = [...this.#stdout.matchAll(/^@\[(\d+)\]: (\d+)$/gm)];
    return new Map(lines.map(([, netns, count]) => [Number(netns), Number(count)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGINT');
    await ended;
  }
}
