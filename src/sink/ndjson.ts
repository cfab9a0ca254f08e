import type { LostEvent, StartEvent, StopEvent } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { PartCache, TASK_PART } from '../record/part-cache.js';
import { currentTask, dropEvent, packetBytes } from './drop-event.js';
import type { Output } from './output.js';
import type { Flow, Sink } from './sink.js';

/** A line of a flow as bytes, with the places that differ from drop to drop. */
interface Line {
  /** All up to the current task, with count 1. */
  readonly whole: Buffer;
  /** The same up to the count and from behind it. */
  readonly head: Buffer;
  readonly tail: Buffer;
  /** Offset of first_time in head; -1 where there is none. */
  readonly firstAt: number;
  /** Offset of the digits of skb in tail; -1 where there is none. */
  readonly skbAt: number;
  readonly hasTask: boolean;
  /** The second that the time in head says. */
  second: number;
}

/**
 * One JSON object a line. The first drop of a flow is turned into text by JSON.stringify; the lines of all others are
 * copies of it in which time, count and address are overwritten: no string, no object, no garbage for a drop.
 */
export class NdjsonSink implements Sink {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #node: string;
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
    const line = this.#lines[flow.id] ?? this.#prepare(drop, flow);
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

  forget(): void {
    this.#lines = [];
  }

  end(): Promise<void> {
    return this.#output.end();
  }

  #prepare(drop: DropReader, flow: Flow): Line {
    const event = { ...dropEvent(drop, flow.facts, this.#clock, this.#node), count: 1 };
    const line = makeLine(JSON.stringify(event));
    this.#lines[flow.id] = line;
    return line;
  }

  /** Writes all up to the current task and returns where it ends. */
  #writeLine(bytes: Buffer, start: number, line: Line, drop: DropReader): number {
    const clock = this.#clock;
    clock.stamp(drop.timeLow, drop.timeHigh);
    if (line.second !== clock.second) {
      line.whole.write(clock.secondText, TIME_AT, 'latin1');
      line.second = clock.second;
    }
    const tailAt = copyWithCount(bytes, start, line, drop.count);
    writeNanos(bytes, start + NANOS_AT, clock.nanos);
    if (line.skbAt >= 0) {
      writeHex(bytes, tailAt + line.skbAt, drop.skbHigh);
      writeHex(bytes, tailAt + line.skbAt + 8, drop.skbLow);
    }
    if (line.firstAt >= 0) {
      bytes.write(clock.format(drop.firstLow, drop.firstHigh), start + line.firstAt, 'latin1');
    }
    return tailAt + line.tail.length;
  }

  #writeEnd(bytes: Buffer, start: number, line: Line, drop: DropReader): number {
    let at = start;
    if (line.hasTask) {
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

/** Quotes inside of strings are escaped in JSON, so a key is found by its text alone. */
function makeLine(json: string): Line {
  const whole = Buffer.from(json.slice(0, -1));
  const head = whole.subarray(0, whole.indexOf(COUNT_KEY) + COUNT_KEY.length);
  const tail = whole.subarray(head.length + 1);
  return {
    whole,
    head,
    tail,
    firstAt: endOf(head, ',"first_time":"'),
    skbAt: endOf(tail, ',"skb":"0x'),
    hasTask: !json.includes(',"aggregate":"'),
    second: -1,
  };
}

function endOf(bytes: Buffer, text: string): number {
  const at = bytes.indexOf(text);
  return at < 0 ? -1 : at + text.length;
}

/** Returns where the tail begins. */
function copyWithCount(bytes: Buffer, at: number, line: Line, count: number): number {
  const countAt = at + line.head.length;
  if (count === 1) {
    bytes.set(line.whole, at);
    return countAt + 1;
  }
  bytes.set(line.head, at);
  const tailAt = countAt + bytes.write(String(count), countAt, 'latin1');
  bytes.set(line.tail, tailAt);
  return tailAt;
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

const COUNT_KEY = ',"count":';
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const MAX_TASKS = 1024;
/** Offsets of "2026-11-22T09:49:05." and of the nanoseconds behind it in every line. */
const TIME_AT = '{"v":1,"kind":"drop","time":"'.length;
const NANOS_AT = TIME_AT + '2026-11-22T09:49:05.'.length;
const NANOS_DIGITS = 9;
