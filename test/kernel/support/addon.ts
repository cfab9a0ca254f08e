import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { loadAddon } from '../../../src/addon.js';
import type { NativeTracer } from '../../../src/native.js';
import { DROP, FLOW, HEADER, RECORD_KIND } from '../../../src/record/layout.gen.js';

export const addon = loadAddon();
export const addonPath = join(import.meta.dirname, '../../../build/Release/rpftrace.node');

/** A UDP port on the loopback that nobody listens on: what is sent there dies with reason NO_SOCKET. */
export class ClosedPort {
  private constructor(readonly number: number) {}

  static async find(): Promise<ClosedPort> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    await once(socket, 'close');
    return new ClosedPort(port);
  }

  get expression(): string {
    return `udp and dst port ${this.number}`;
  }

  /** Makes the kernel drop `count` packets, one after the other; resolves when it has. */
  async drop(count: number): Promise<void> {
    const socket = createSocket('udp4');
    for (let i = 0; i < count; i++) {
      await new Promise<void>((resolve, reject) => {
        socket.send('x', this.number, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
      });
    }
    socket.close();
    await once(socket, 'close');
  }
}

/** A drop record, as far as these tests care. */
export interface Drop {
  readonly count: number;
  readonly reason: number;
  readonly location: bigint;
}

/** The drop records of a batch. */
export function dropsIn(buffer: ArrayBuffer, bytes: number): Drop[] {
  const view = new DataView(buffer, 0, bytes);
  const drops: Drop[] = [];
  for (let at = 0; at < bytes; at += view.getUint32(at + HEADER.size_offset, true)) {
    if (view.getUint32(at + HEADER.kind, true) !== RECORD_KIND.RECORD_DROP) continue;
    drops.push({
      count: Number(view.getBigUint64(at + DROP.count, true)),
      reason: view.getUint32(at + DROP.flow + FLOW.reason, true),
      location: view.getBigUint64(at + DROP.flow + FLOW.location, true),
    });
  }
  return drops;
}

/** Attaches a tracer and takes what it hands over; releases each batch at once, or keeps them out. */
export class Taker {
  readonly out: number[] = [];
  dropped = 0;
  #onBatch: () => void = () => undefined;

  constructor(
    readonly tracer: NativeTracer,
    readonly keep = false,
  ) {
    tracer.attach((error, slot, bytes) => {
      if (error) throw error;
      const buffer = tracer.buffers[slot] as ArrayBuffer;
      this.dropped += dropsIn(buffer, bytes).reduce((sum, drop) => sum + drop.count, 0);
      if (this.keep) this.out.push(slot);
      else tracer.release(slot);
      this.#onBatch();
    });
  }

  /** Resolves when this holds after a batch, or already does. */
  async until(satisfied: (taker: this) => boolean): Promise<void> {
    if (satisfied(this)) return;
    await new Promise<void>((resolve) => {
      this.#onBatch = () => {
        if (satisfied(this)) resolve();
      };
    });
  }
}
