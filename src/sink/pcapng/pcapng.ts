import { cpus, machine, release } from 'node:os';
import type { DropEvent, TraceEvent } from '../../events.js';
import { printable } from '../../printable.js';
import { VERSION } from '../../version.js';
import type { EventSink } from '../event-sink.js';
import { eventText } from '../event-text.js';
import type { Output } from '../output.js';
import { journalBlock, packetBlock, sectionBlock } from './blocks.js';
import { Comments } from './comments.js';
import { Interfaces } from './interfaces.js';
import { Samples } from './samples.js';

export interface PcapngOptions {
  /** Bytes of each packet at most; 0 where that is not known. */
  readonly snaplen: number;
  /** Bytes after which a new file begins. Undefined: never. */
  readonly rotateSize?: number | undefined;
}

/**
 * Packets for Wireshark: an interface for each device of each node, a comment for each thing that is known of a drop. Drops that were
 * counted together are one packet, with the bytes of one of their flow that was seen whole, and say so. What is no drop is
 * an entry of a journal between them.
 */
export class PcapngSink implements EventSink {
  readonly #output: Output;
  readonly #options: PcapngOptions;
  readonly #samples = new Samples();
  readonly #comments = new Comments();
  #interfaces: Interfaces;
  /** Of the file, and how many of them stand before the section’s first packet. */
  #bytes = 0;
  #headBytes = 0;

  /** The output must have been opened without rotateSize: it cannot know where to cut. */
  constructor(output: Output, options: PcapngOptions) {
    this.#output = output;
    this.#options = options;
    this.#interfaces = this.#startSection();
  }

  get ready(): boolean {
    return this.#output.ready;
  }

  set onReady(callback: () => void) {
    this.#output.onReady = callback;
  }

  event(event: TraceEvent): void {
    if (this.#interfaces.size >= MAX_INTERFACES) this.#interfaces = this.#startSection();
    if (event.kind === 'drop') this.#packet(event);
    else this.#journal(event);
  }

  flush(): void {
    this.#output.flush();
  }

  end(): Promise<void> {
    return this.#output.end();
  }

  #packet(event: DropEvent): void {
    const sample = this.#samples.of(event);
    const comments = this.#comments.of(event);
    this.#makeRoom(sample.bytes.length + comments.length);
    const { id, block } = this.#interfaces.find(event, sample.linkType);
    if (block) this.#write(block);
    this.#write(packetBlock({ interfaceId: id, time: event.time, ...sample, comments }));
  }

  #journal(event: Exclude<TraceEvent, DropEvent>): void {
    const isUsual = event.kind === 'start' || event.kind === 'stop';
    const block = journalBlock(event.time, {
      MESSAGE: printable(eventText(event)),
      PRIORITY: isUsual ? INFO : WARNING,
      SYSLOG_IDENTIFIER: 'rpftrace',
      _HOSTNAME: printable(event.node),
      RPFTRACE_EVENT: JSON.stringify(event),
    });
    this.#makeRoom(block.length);
    this.#write(block);
  }

  /** Begins a new file where the block would make this one too large; a file has one block at least. */
  #makeRoom(bytes: number): void {
    const { rotateSize = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#bytes + bytes + MAX_HEAD <= rotateSize || this.#bytes === this.#headBytes) return;
    this.#output.startFile();
    this.#bytes = 0;
    this.#interfaces = this.#startSection();
  }

  #startSection(): Interfaces {
    this.#write(
      sectionBlock({
        hardware: [machine(), cpus()[0]?.model].filter(Boolean).join(', '),
        os: `Linux ${release()}`,
        application: `rpftrace ${VERSION}`,
      }),
    );
    this.#headBytes = this.#bytes;
    return new Interfaces(this.#options.snaplen);
  }

  #write(block: Buffer): void {
    this.#bytes += block.length;
    this.#output.writeBytes(block);
  }
}

/** Far more than a node has; each takes a hundred bytes of the file. */
const MAX_INTERFACES = 4096;
/** Of a packet block and of the interface block before it, beside bytes and comments. */
const MAX_HEAD = 512;
/** Priorities of syslog(3). */
const WARNING = '4';
const INFO = '6';
