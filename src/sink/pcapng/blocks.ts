/*
 * Blocks of pcapng (draft-ietf-opsawg-pcapng): type, total length, body, total length again; all in little-endian, which
 * the section header says. Options are code, length, value, padded to 4 bytes.
 */

import { printable } from '../../printable.js';

export const LINK_TYPE = {
  ethernet: 1,
  /** The packet starts with its IPv4 or IPv6 header. */
  ip: 101,
  /** Whatever was there: a packet without a network header, or one that is not IP on a device without Ethernet. */
  bytes: 147,
} as const;
export type LinkType = (typeof LINK_TYPE)[keyof typeof LINK_TYPE];

/** Code and value. */
export type BlockOption = readonly [code: number, value: string | Buffer];

export interface InterfaceBlock {
  readonly linkType: LinkType;
  /** Bytes of each packet at most. */
  readonly snaplen: number;
  readonly name: string | undefined;
  readonly description: string;
}

/** Starts a section: interfaces are counted from 0 again. */
export function sectionBlock(options: { hardware: string; os: string; application: string }): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  body.writeUInt16LE(1, 4); // version 1.0
  body.writeBigInt64LE(-1n, 8); // of unknown length
  return block(
    BLOCK.section,
    body,
    encodeOptions([
      [OPTION.hardware, options.hardware],
      [OPTION.os, options.os],
      [OPTION.application, options.application],
    ]),
  );
}

export function interfaceBlock({ linkType, snaplen, name, description }: InterfaceBlock): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt16LE(linkType, 0);
  body.writeUInt32LE(snaplen, 4);
  const named: BlockOption[] = name === undefined ? [] : [[OPTION.interfaceName, name]];
  return block(
    BLOCK.interface,
    body,
    encodeOptions([
      ...named,
      [OPTION.interfaceDescription, description],
      [OPTION.timeResolution, Buffer.of(NANOSECONDS)],
    ]),
  );
}

export interface PacketBlock {
  readonly interfaceId: number;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly bytes: Buffer;
  /** Bytes that the packet had. */
  readonly original: number;
  /** Of encodeComments(). */
  readonly comments: Buffer;
}

export function packetBlock({ interfaceId, time, bytes, original, comments }: PacketBlock): Buffer {
  const body = Buffer.alloc(20);
  const timeNs = wallNs(time);
  body.writeUInt32LE(interfaceId, 0);
  body.writeUInt32LE(Number(timeNs >> 32n), 4);
  body.writeUInt32LE(Number(timeNs & 0xffff_ffffn), 8);
  body.writeUInt32LE(bytes.length, 12);
  body.writeUInt32LE(original, 16);
  return block(BLOCK.packet, body, padded(bytes), comments, END_OF_OPTIONS);
}

/** An entry of a journal, which stands between the packets. `time`: RFC 3339 with nanoseconds. */
export function journalBlock(time: string, fields: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries({ __REALTIME_TIMESTAMP: String(wallNs(time) / 1000n), ...fields }).map(
    ([name, value]) => `${name}=${value}\n`,
  );
  return block(BLOCK.journal, padded(Buffer.from(`${lines.join('')}\n`)));
}

/** Nanoseconds since 1970 of an RFC 3339 time with nanoseconds. */
function wallNs(time: string): bigint {
  return BigInt(Date.parse(`${time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(time.slice(20, 29));
}

/** Options without the end of the list; safe for a terminal. */
export function encodeComments(comments: readonly string[]): Buffer {
  return Buffer.concat(comments.map((comment) => encodeOption([OPTION.comment, cut(printable(comment))])));
}

function encodeOptions(options: readonly BlockOption[]): Buffer {
  return Buffer.concat([...options.map(encodeOption), END_OF_OPTIONS]);
}

function encodeOption([code, value]: BlockOption): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(bytes.length, 2);
  return Buffer.concat([head, padded(bytes)]);
}

function block(type: number, ...parts: Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 12);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, ...parts, head.subarray(4)]);
}

/** Up to the next multiple of 4. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** Long ones end with an ellipsis: so that a packet does not drown in them. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= MAX_COMMENT) return text;
  const fitting = Buffer.from(text)
    .subarray(0, MAX_COMMENT - 3)
    .toString('utf8');
  return `${fitting.replace(/\ufffd$/, '')}…`;
}

const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  packet: 6,
  journal: 9,
} as const;

const OPTION = {
  comment: 1,
  hardware: 2,
  os: 3,
  application: 4,
  interfaceName: 2,
  interfaceDescription: 3,
  timeResolution: 9,
} as const;

const END_OF_OPTIONS = Buffer.alloc(4);
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Of if_tsresol: 10 to the minus 9. */
const NANOSECONDS = 9;
const MAX_COMMENT = 1000;
