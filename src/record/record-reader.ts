import { HEADER } from './layout.gen.js';

/** One buffer that batches arrive in, seen in the two ways that the readers need. */
export interface BatchView {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** Makes the views of a buffer once; its length is cut to whole words. */
export function viewOf(buffer: ArrayBuffer): BatchView {
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer, 0, buffer.byteLength >>> 2) };
}

/** Reads members of the record at `at`. The constants are folded, so that a getter is one load. */
export class RecordReader {
  view: BatchView = viewOf(new ArrayBuffer(0));
  /** Byte offset of the record in the batch. */
  at = 0;

  /** CLOCK_MONOTONIC, ns: low and high half. */
  get timeLow(): number {
    return this.word(HEADER.time_ns + LOW);
  }
  get timeHigh(): number {
    return this.word(HEADER.time_ns + HIGH);
  }

  protected word(offset: number): number {
    return this.view.words[(this.at + offset) >>> 2] as number;
  }
  protected signed(offset: number): number {
    return this.word(offset) | 0;
  }
  protected byte(offset: number): number {
    return this.view.bytes[this.at + offset] as number;
  }
  protected half(offset: number): number {
    const first = this.byte(offset);
    const second = this.byte(offset + 1);
    return LITTLE_ENDIAN ? first | (second << 8) : (first << 8) | second;
  }
  /** Exact up to 2^53. */
  protected long(offset: number): number {
    return this.word(offset + HIGH) * 0x1_0000_0000 + this.word(offset + LOW);
  }
  protected bigLong(offset: number): bigint {
    return (BigInt(this.word(offset + HIGH)) << 32n) | BigInt(this.word(offset + LOW));
  }
  protected text(offset: number, length: number): string {
    return decodeCString(this.view.bytes, this.at + offset, length);
  }
}

/** Reads records that are nothing but their struct. */
export abstract class WholeReader extends RecordReader {
  /** Bytes of the struct. */
  abstract readonly size: number;

  /** Whether what the record says can be. */
  isPlausible(): boolean {
    return true;
  }
}

/** Decodes up to the first NUL. Bytes that are not UTF-8 become U+FFFD. */
export function decodeCString(bytes: Uint8Array, offset: number, length: number): string {
  let text = '';
  for (let at = offset; at < offset + length; at++) {
    const byte = bytes[at] as number;
    if (byte === 0) return text;
    if (byte >= 0x80) return decodeUtf8(upToNul(bytes.subarray(offset, offset + length)));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** A count that can be added to others and stay exact. */
export function isCount(value: number): boolean {
  return value >= 1 && value <= MAX_COUNT;
}

/** Bytes that are not UTF-8 become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

function upToNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

const utf8 = new TextDecoder();

/** A drop per nanosecond for a month; 2^53 is far away even for the sum of many. */
const MAX_COUNT = 2 ** 51;
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Offsets of the halves of a 64-bit integer. */
export const LOW = LITTLE_ENDIAN ? 0 : 4;
export const HIGH = LITTLE_ENDIAN ? 4 : 0;
