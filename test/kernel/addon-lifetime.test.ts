import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { NativeConfig } from '../../src/native.js';
import { RECORD_KIND } from '../../src/record/layout.gen.js';
import { bpfObjectsOf, exists } from '../process/support/bpf-objects.js';
import { addon, addonPath, ClosedPort, Taker } from './support/addon.js';

const { Tracer } = addon;
let port: ClosedPort;

beforeAll(async () => {
  port = await ClosedPort.find();
});

const everyDrop = (): NativeConfig => ({ every: true, expression: port.expression });

/** The kernel frees programs after a grace period of its own. */
async function expectNoBpfObjects(pid = process.pid): Promise<void> {
  await vi.waitFor(() => expect(bpfObjectsOf(pid)).toEqual([]), { timeout: 10_000 });
}

it('is loaded once more by who has forgotten it', () => {
  const path = JSON.stringify(addonPath);
  const twice = `require(${path}); delete require.cache[require.resolve(${path})]; require(${path}).loadAhead({});`;
  expect(spawnSync(process.execPath, ['-e', twice], { encoding: 'utf8' })).toMatchObject({
    status: 0,
    stderr: '',
  });
});

describe('a tracer is closed', () => {
  it('as often as one likes, and knows that it is', async () => {
    const tracer = new Tracer(everyDrop());
    new Taker(tracer);
    const closed = tracer.close();
    expect(tracer.close()).toBe(closed);
    await closed;
    await tracer.close();

    for (const use of [
      () => tracer.stats(),
      () => tracer.totals(),
      () => tracer.configure({}),
      () => tracer.attach(() => undefined),
    ])
      expect(use).toThrow(expect.objectContaining({ code: 'E_CLOSED' }));
    await expect(tracer.detach()).rejects.toMatchObject({ code: 'E_CLOSED' });
    await expectNoBpfObjects();
  });

  it('before it was attached', async () => {
    await new Tracer({}).close();
    await expectNoBpfObjects();
  });

  it('while batches are out, which stay readable', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer, true);
    await port.drop(1);
    await taker.until(() => taker.out.length === 1);
    const [slot] = taker.out as [number];
    const buffer = tracer.buffers[slot] as ArrayBuffer;
    const before = buffer.slice(0);

    await tracer.close();
    expect(Buffer.from(buffer).equals(Buffer.from(before))).toBe(true);
    tracer.release(slot);
    await expectNoBpfObjects();
  });

  it('while it drains, which then is not done', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer, true);
    await port.drop(1);
    await taker.until(() => taker.out.length === 1);
    const detached = tracer.detach();

    await Promise.all([tracer.close(), expect(detached).rejects.toMatchObject({ code: 'E_CLOSED' })]);
  });

  it('from within onBatch, which is then called no more', async () => {
    const tracer = new Tracer(everyDrop());
    const onBatch = vi.fn(() => void tracer.close());
    tracer.attach(onBatch);
    await port.drop(10);
    await vi.waitFor(() => expect(onBatch).toHaveBeenCalled());
    await tracer.close();
    expect(onBatch).toHaveBeenCalledOnce();
  });

  it('by the garbage collector, when nobody has attached it', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let i = 0; i < 5; i++) new Tracer({});
    expect(bpfObjectsOf(process.pid)).not.toEqual([]);
    await vi.waitFor(
      () => {
        collect();
        expect(bpfObjectsOf(process.pid)).toEqual([]);
      },
      { timeout: 10_000 },
    );
  });
});

describe('what is loaded ahead', () => {
  const programs = () => bpfObjectsOf(process.pid).filter((object) => object.startsWith('prog'));

  it('is what the next tracer has, with filters of its own', async () => {
    addon.loadAhead({ every: true, expression: 'tcp' });
    const [first] = await vi.waitFor(() => {
      expect(programs()).not.toEqual([]);
      return programs();
    });
    const tracer = new Tracer(everyDrop());
    expect(programs()).toContain(first);
    const taker = new Taker(tracer);
    await port.drop(3);
    await taker.until(() => taker.dropped === 3);
    await tracer.close();
    await expectNoBpfObjects();
  });

  it('is left alone by a tracer that asks for something else, which then loads it', async () => {
    addon.loadAhead({ every: true });
    const tracer = new Tracer({ snaplen: 64, expression: port.expression });
    const taker = new Taker(tracer);
    await port.drop(1);
    await taker.until(() => taker.dropped === 1);
    await tracer.close();
    await expectNoBpfObjects();
  });

  it('fails when the tracer is opened, and only then', () => {
    addon.loadAhead({ ringBytes: 5 });
    expect(() => new Tracer({ ringBytes: 5 })).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });

  it('goes with the worker thread that nothing else came of', async () => {
    const worker = new Worker(`require(${JSON.stringify(addonPath)}).loadAhead({});`, { eval: true });
    expect(await once(worker, 'exit')).toEqual([0]);
    await expectNoBpfObjects();
  });
});

/** Attaches to every drop of a port, says so, and does something with the first batch that holds one. `post` says words. */
const script = (post: string, then = '') => `
  const { Tracer } = require(${JSON.stringify(addonPath)});
  const post = ${post};
  const tracer = new Tracer({ every: true, expression: ${JSON.stringify(port.expression)} });
  tracer.attach((error, slot, bytes) => {
    const words = new Uint32Array(tracer.buffers[slot], 0, bytes / 4);
    let at = 0;
    while (at < words.length && words[at + 1] !== ${RECORD_KIND.RECORD_DROP}) at += words[at] / 4;
    if (at === words.length) return tracer.release(slot);
    ${then || 'post("batch");'}
    tracer.release(slot);
  });
  post('attached');
`;

describe('in a worker thread, a tracer', () => {
  const startWorker = async (then?: string): Promise<Worker> => {
    const worker = new Worker(
      script("(word) => require('node:worker_threads').parentPort.postMessage(word)", then),
      {
        eval: true,
      },
    );
    const [word] = await once(worker, 'message');
    expect(word).toBe('attached');
    return worker;
  };

  it('works, and lets the worker end when it is closed', async () => {
    const worker = await startWorker('post("batch"); tracer.close();');
    const ended = once(worker, 'exit');
    const word = once(worker, 'message');
    await port.drop(1);
    expect(await word).toEqual(['batch']);
    expect(await ended).toEqual([0]);
    await expectNoBpfObjects();
  });

  it('goes away with a worker that is terminated', async () => {
    for (let i = 0; i < 10; i++) {
      const worker = await startWorker();
      const word = once(worker, 'message');
      const dropped = port.drop(50);
      await word;
      await worker.terminate();
      await dropped;
    }
    await expectNoBpfObjects();
  });

  it('goes away with a worker that never gives its batches back', async () => {
    const worker = await startWorker('post("batch"); return;');
    const word = once(worker, 'message');
    await port.drop(1);
    await word;
    await worker.terminate();
    await expectNoBpfObjects();
  });
});

describe('a process with an attached tracer', () => {
  const start = async (then: string) => {
    const child = spawn(process.execPath, ['-e', script('(word) => console.log(word)', then)]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }));
    await once(child.stdout, 'data');
    const objects = bpfObjectsOf(child.pid as number);
    // Of the tracepoint, of the cgroup where writes to settings are seen, and of the programs that are executed.
    expect(objects.filter((object) => object.startsWith('link'))).toHaveLength(3);
    return { child, ended, objects };
  };

  const expectGone = async (objects: readonly string[]) =>
    await vi.waitFor(() => expect(objects.filter(exists)).toEqual([]), { timeout: 10_000 });

  it('is kept alive by it until it is closed', async () => {
    const { ended, objects } = await start('tracer.close();');
    await port.drop(1);
    expect(await ended).toEqual({ code: 0, signal: null, stderr: '' });
    await expectGone(objects);
  });

  it('can end from within onBatch', async () => {
    const { ended, objects } = await start('process.exit(7);');
    await port.drop(1);
    expect(await ended).toEqual({ code: 7, signal: null, stderr: '' });
    await expectGone(objects);
  });

  it('sees what onBatch throws as an uncaught exception', async () => {
    const { ended, objects } = await start('throw new Error("from onBatch");');
    await port.drop(1);
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('Error: from onBatch');
    await expectGone(objects);
  });

  it('leaves nothing behind when it is killed', async () => {
    const { child, ended, objects } = await start('');
    child.kill('SIGKILL');
    expect(await ended).toMatchObject({ signal: 'SIGKILL' });
    await expectGone(objects);
  });
});
