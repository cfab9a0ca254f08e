import type { Device, PodMember, Rpf, TraceEvent } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { PartCache, TASK_PART } from '../record/part-cache.js';
import {
  currentTask,
  deviceMembers,
  dropEvent,
  packetBytes,
  packetMembers,
  placeMembers,
  podMembers,
  rpfMembers,
} from './drop-event.js';
import type { LineOutput } from './lines.js';
import { type Context, type Flow, MAX_FLOWS, type Sink } from './sink.js';

/** Bytes that were prepared in the output's memory, and where. */
interface Piece {
  readonly at: number;
  readonly length: number;
}

/** The line of a flow with count 1, up to the current task. */
interface Line extends Piece {
  length: number;
  frame: Frame;
  /** The second that its time says. */
  second: number;
  /** What it says of the source check. */
  rpf: Rpf | undefined;
  /** The line is another flow's when this is not the sink's. */
  generation: number;
  incident: Flow['incident'];
  attribution: Flow['attribution'];
}

/** What all lines of a context share, as text and as offsets. */
interface Frame {
  /** Up to the packet. */
  readonly head: string;
  /** The device. */
  readonly tail: string;
  readonly countAt: number;
  /** The digits of skb; 0 in an aggregate, which has none. */
  readonly skbAt: number;
  readonly device: Device;
}

/**
 * One JSON object a line. What is the same for all drops of a flow is turned into text once; the line of a drop is a copy of
 * it in which time, count and address are overwritten: no string, no object, no garbage.
 */
export class NdjsonSink implements Sink {
  readonly #output: LineOutput;
  readonly #clock: Clock;
  readonly #node: string;
  #frames: Frame[] = [];
  /** By the id of the flow. They are filled anew, not made anew: in a flood of new flows they would be most of the garbage. */
  readonly #lines: Line[] = [];
  #generation = 0;
  readonly #rpfTexts = new WeakMap<Rpf, string>();
  readonly #podTexts = new WeakMap<PodMember, string>();
  readonly #tasks: PartCache<Piece>;

  /** The output must have been opened with PREPARED_BYTES. */
  constructor(output: LineOutput, clock: Clock, node: string) {
    this.#output = output;
    this.#clock = clock;
    this.#node = node;
    this.#tasks = new PartCache({
      part: TASK_PART,
      max: MAX_TASKS,
      create: (drop, id) => this.#prepareTask(drop, id),
    });
  }

  get ready(): boolean {
    return this.#output.ready;
  }

  set onReady(callback: () => void) {
    this.#output.onReady = callback;
  }

  drop(drop: DropReader, flow: Flow): void {
    const known = this.#lines[flow.id];
    const isCurrent =
      known?.generation === this.#generation &&
      known.rpf === flow.rpf &&
      known.incident === flow.incident &&
      known.attribution === flow.attribution &&
      known.frame.device === flow.context.device;
    const line = isCurrent ? known : this.#prepareLine(drop, flow);
    if (line) this.#copy(line, drop);
    else this.event(dropEvent(drop, flow, this.#clock, this.#node));
  }

  event(event: TraceEvent): void {
    this.#output.writeText(`${JSON.stringify(event)}\n`);
  }

  flush(): void {
    this.#output.flush();
  }

  forgetFlows(): void {
    this.#generation++;
  }

  forgetContexts(): void {
    this.#frames = [];
  }

  end(): Promise<void> {
    return this.#output.end();
  }

  #copy(line: Line, drop: DropReader): void {
    const { bytes, position } = this.#output;
    let at = this.#copyLine(bytes, position, line, drop);
    if (line.frame.skbAt > 0) at = copyPiece(bytes, at, this.#tasks.find(drop));
    if (drop.snapBytes > 0) at += bytes.write(`,${members(packetBytes(drop))}`, at, 'latin1');
    bytes[at] = 0x7d; // }
    bytes[at + 1] = 0x0a;
    this.#output.commit(at + 2);
  }

  /** Returns where the copy ends. */
  #copyLine(bytes: Buffer, start: number, line: Line, drop: DropReader): number {
    const clock = this.#clock;
    clock.stamp(drop.timeLow, drop.timeHigh);
    if (line.second !== clock.second) {
      bytes.write(clock.secondText, line.at + TIME_AT, 'latin1');
      line.second = clock.second;
    }
    const end = copyWithCount(bytes, start, line, drop.count);
    writeNanos(bytes, start + NANOS_AT, clock.nanos);
    const { skbAt } = line.frame;
    if (skbAt > 0) {
      const digitsAt = end - line.length + skbAt;
      writeHex(bytes, digitsAt, drop.skbHigh);
      writeHex(bytes, digitsAt + 8, drop.skbLow);
    } else {
      bytes.write(clock.format(drop.firstLow, drop.firstHigh), start + FIRST_TIME_AT, 'latin1');
    }
    return end;
  }

  /** Undefined for a line that is too long to be prepared. */
  #prepareLine(drop: DropReader, flow: Flow): Line | undefined {
    const { context, id, rpf, incident, attribution } = flow;
    const frame = this.#frameOf(context);
    const suffix = incident === undefined ? '' : `,"incident":"${incident.id}"`;
    const packet = members(packetMembers(drop));
    const text = frame.head + packet + frame.tail + this.#podText(flow) + this.#rpfText(flow) + suffix;
    const length = Buffer.byteLength(text);
    if (length > LINE_BYTES) return undefined;
    const at = id * LINE_BYTES;
    this.#output.bytes.write(text, at);
    const line = this.#lines[id] ?? {
      at,
      length,
      frame,
      second: -1,
      rpf,
      generation: -1,
      incident,
      attribution,
    };
    line.length = length;
    line.frame = frame;
    line.rpf = rpf;
    line.second = -1;
    line.generation = this.#generation;
    line.incident = incident;
    line.attribution = attribution;
    this.#lines[id] = line;
    return line;
  }

  /** Flows from one source share it. */
  #rpfText(flow: Flow): string {
    if (flow.rpf === undefined) return '';
    const known = this.#rpfTexts.get(flow.rpf);
    if (known !== undefined) return known;
    const text = `,${members(rpfMembers(flow))}`;
    this.#rpfTexts.set(flow.rpf, text);
    return text;
  }

  #podText(flow: Flow): string {
    const { pod, ...rest } = podMembers(flow);
    const others = members(rest);
    return this.#podMemberText(pod) + (others === '' ? '' : `,${others}`);
  }

  /** Flows of one pod share it. */
  #podMemberText(pod: PodMember | undefined): string {
    if (pod === undefined) return '';
    const known = this.#podTexts.get(pod);
    if (known !== undefined) return known;
    const text = `,${members({ pod })}`;
    this.#podTexts.set(pod, text);
    return text;
  }

  #frameOf(context: Context): Frame {
    const known = this.#frames[context.id];
    if (known?.device === context.device) return known;
    const frame = makeFrame(context, this.#node);
    this.#frames[context.id] = frame;
    return frame;
  }

  #prepareTask(drop: DropReader, id: number): Piece {
    const at = MAX_FLOWS * LINE_BYTES + id * TASK_BYTES;
    return { at, length: this.#output.bytes.write(`,${members({ current_task: currentTask(drop) })}`, at) };
  }
}

function makeFrame(context: Context, node: string): Frame {
  const isAggregate = context.aggregate !== undefined;
  const first = isAggregate ? `,"first_time":"${ANY_TIME}"` : '';
  const skb = isAggregate ? '' : `,"skb":"0x${ANY_ADDRESS}"`;
  const beforeCount = `${BEFORE_TIME}${ANY_TIME}"${first},"node":${JSON.stringify(node)},"count":`;
  const head = `${beforeCount}1,${members(placeMembers(context))}${skb},`;
  return {
    head,
    tail: `,${members(deviceMembers(context))}`,
    countAt: Buffer.byteLength(beforeCount),
    device: context.device,
    skbAt: isAggregate ? 0 : Buffer.byteLength(head) - '",'.length - ANY_ADDRESS.length,
  };
}

/** Returns where the copy ends. */
function copyWithCount(bytes: Buffer, at: number, line: Line, count: number): number {
  if (count === 1) return copyPiece(bytes, at, line);
  const countAt = at + line.frame.countAt;
  bytes.copyWithin(at, line.at, line.at + line.frame.countAt);
  const restAt = countAt + bytes.write(String(count), countAt, 'latin1');
  const rest = line.at + line.frame.countAt + 1;
  bytes.copyWithin(restAt, rest, line.at + line.length);
  return restAt + line.at + line.length - rest;
}

/** Of all ways to copy, copyWithin() alone is fast and leaves no garbage: hence the one memory for lines and output. */
function copyPiece(bytes: Buffer, at: number, piece: Piece): number {
  bytes.copyWithin(at, piece.at, piece.at + piece.length);
  return at + piece.length;
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

/** The members of an object as JSON, without its braces. */
function members(object: object): string {
  return JSON.stringify(object).slice(1, -1);
}

const HEX_DIGITS = Buffer.from('0123456789abcdef');
const ANY_TIME = '1970-01-01T00:00:00.000000000Z';
const ANY_ADDRESS = '0000000000000000';
const BEFORE_TIME = '{"v":1,"kind":"drop","time":"';
/** Offsets that are the same in every line. */
const TIME_AT = BEFORE_TIME.length;
const NANOS_AT = TIME_AT + '1970-01-01T00:00:00.'.length;
const NANOS_DIGITS = 9;
const FIRST_TIME_AT = TIME_AT + ANY_TIME.length + '","first_time":"'.length;

/** Lines have some 1,500 bytes, those of pods 2,000; a few, with long names, have more and are written the long way. */
const LINE_BYTES = 2560;
/** The longest: a name of 16 control characters and three full numbers. */
const TASK_BYTES = 256;
const MAX_TASKS = 1024;
export const PREPARED_BYTES = MAX_FLOWS * LINE_BYTES + MAX_TASKS * TASK_BYTES;
