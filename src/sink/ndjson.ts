import type { LostEvent, StartEvent, StopEvent } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { PartCache, TASK_PART } from '../record/part-cache.js';
import { currentTask, deviceMembers, packetBytes, packetMembers, placeMembers } from './drop-event.js';
import type { Output } from './output.js';
import type { Context, Flow, Sink } from './sink.js';

/** What all lines of a context share: bytes from the start to the count, from there to the skb, and behind the packet. */
interface Frame {
  readonly head: Buffer;
  readonly middle: Buffer;
  readonly tail: Buffer;
  readonly isAggregate: boolean;
}

/** A line of a flow as bytes, with count 1, up to the current task, and the places that differ from drop to drop. */
interface Line {
  readonly bytes: Buffer;
  /** Offset of the count. */
  readonly countAt: number;
  /** Offset of the digits of skb behind the count; 0 where there is none. */
  readonly skbAt: number;
  readonly isAggregate: boolean;
  /** The second that the time says. */
  second: number;
}

/**
 * One JSON object a line. What is the same for all drops of a flow is turned into text once; the line of a drop is a copy of
 * it in which time, count and address are overwritten: no string, no object, no garbage.
 */
export class NdjsonSink implements Sink {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #node: string;
  #frames: Frame[] = [];
  #lines: Line[] = [];
  readonly #tasks = new PartCache<Buffer>({ part: TASK_PART, max: MAX_TASKS, create: taskFragment });

  constructor(output: Output, clock: Clock, node: string) {
    this.#output = output;
    this.#clock = clock;
    this.#node = node;
  }

  get ready(): boolean {
    return this.#output.ready;
  }

  set onReady(callback: () => void) {
    this.#output.onReady = callback;
  }

  drop(drop: DropReader, flow: Flow): void {
    const line = this.#lines[flow.id] ?? this.#prepareLine(flow);
    const { bytes, position } = this.#output;
    const at = this.#writeLine(bytes, position, line, drop);
    this.#output.commit(this.#writeEnd(bytes, at, line, drop));
  }

  event(event: StartEvent | LostEvent | StopEvent): void {
    this.#output.writeText(`${JSON.stringify(event)}\n`);
  }

  flush(): void {
    this.#output.flush();
  }

  forgetFlows(): void {
    this.#lines = [];
  }

  forgetContexts(): void {
    this.#frames = [];
  }

  end(): Promise<void> {
    return this.#output.end();
  }

  #prepareLine(flow: Flow): Line {
    const { context } = flow;
    const frame = this.#frames[context.id] ?? this.#prepareFrame(context);
    const line = makeLine(frame, members(packetMembers(flow.packet)));
    this.#lines[flow.id] = line;
    return line;
  }

  #prepareFrame(context: Context): Frame {
    const frame = makeFrame(context, this.#node);
    this.#frames[context.id] = frame;
    return frame;
  }

  /** Writes all up to the current task and returns where it ends. */
  #writeLine(bytes: Buffer, start: number, line: Line, drop: DropReader): number {
    const clock = this.#clock;
    clock.stamp(drop.timeLow, drop.timeHigh);
    if (line.second !== clock.second) {
      line.bytes.write(clock.secondText, TIME_AT, 'latin1');
      line.second = clock.second;
    }
    const end = copyWithCount(bytes, start, line, drop.count);
    writeNanos(bytes, start + NANOS_AT, clock.nanos);
    if (line.isAggregate) {
      bytes.write(clock.format(drop.firstLow, drop.firstHigh), start + FIRST_TIME_AT, 'latin1');
    } else {
      writeHex(bytes, end - line.skbAt, drop.skbHigh);
      writeHex(bytes, end - line.skbAt + 8, drop.skbLow);
    }
    return end;
  }

  #writeEnd(bytes: Buffer, start: number, line: Line, drop: DropReader): number {
    let at = start;
    if (!line.isAggregate) {
      const task = this.#tasks.find(drop);
      bytes.set(task, at);
      at += task.length;
    }
    if (drop.snapBytes > 0) at += bytes.write(`,${members(packetBytes(drop))}`, at, 'latin1');
    bytes[at] = 0x7d; // }
    bytes[at + 1] = 0x0a;
    return at + 2;
  }
}

function makeFrame(context: Context, node: string): Frame {
  const isAggregate = context.aggregate !== undefined;
  const first = isAggregate ? `,"first_time":"${ANY_TIME}"` : '';
  const skb = isAggregate ? '' : `,"skb":"0x${ANY_ADDRESS}"`;
  return {
    head: Buffer.from(`${BEFORE_TIME}${ANY_TIME}"${first},"node":${JSON.stringify(node)},"count":`),
    middle: Buffer.from(`1,${members(placeMembers(context))}${skb},`),
    tail: Buffer.from(`,${members(deviceMembers(context))}`),
    isAggregate,
  };
}

function makeLine(frame: Frame, packet: string): Line {
  const { head, middle, tail, isAggregate } = frame;
  const packetAt = head.length + middle.length;
  const tailAt = packetAt + Buffer.byteLength(packet);
  const bytes = Buffer.allocUnsafe(tailAt + tail.length);
  bytes.set(head);
  bytes.set(middle, head.length);
  bytes.write(packet, packetAt);
  bytes.set(tail, tailAt);
  return {
    bytes,
    countAt: head.length,
    skbAt: bytes.length - packetAt + '",'.length + ANY_ADDRESS.length,
    isAggregate,
    second: -1,
  };
}

/** Returns where the copy ends. */
function copyWithCount(bytes: Buffer, at: number, line: Line, count: number): number {
  if (count === 1) {
    bytes.set(line.bytes, at);
    return at + line.bytes.length;
  }
  bytes.set(line.bytes.subarray(0, line.countAt), at);
  const restAt = at + line.countAt + bytes.write(String(count), at + line.countAt, 'latin1');
  const rest = line.bytes.subarray(line.countAt + 1);
  bytes.set(rest, restAt);
  return restAt + rest.length;
}

function writeNanos(bytes: Buffer, at: number, nanos: number): void {
  let rest = nanos;
  for (let index = at + NANOS_DIGITS - 1; index >= at; index--) {
    const next = Math.trunc(rest / 10);
    bytes[index] = 0x30 + rest - next * 10;
    rest = next;
  }
}

/** Eight digits. */
function writeHex(bytes: Buffer, at: number, word: number): void {
  let rest = word;
  for (let index = at + 7; index >= at; index--) {
    bytes[index] = HEX_DIGITS[rest & 15] as number;
    rest >>>= 4;
  }
}

function taskFragment(drop: DropReader): Buffer {
  return Buffer.from(`,${members({ current_task: currentTask(drop) })}`);
}

/** The members of an object as JSON, without its braces. */
function members(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}

const HEX_DIGITS = Buffer.from('0123456789abcdef');
const MAX_TASKS = 1024;
const ANY_TIME = '1970-01-01T00:00:00.000000000Z';
const ANY_ADDRESS = '0000000000000000';
const BEFORE_TIME = '{"v":1,"kind":"drop","time":"';
/** Offsets that are the same in every line. */
const TIME_AT = BEFORE_TIME.length;
const NANOS_AT = TIME_AT + '1970-01-01T00:00:00.'.length;
const NANOS_DIGITS = 9;
const FIRST_TIME_AT = TIME_AT + ANY_TIME.length + '","first_time":"'.length;
