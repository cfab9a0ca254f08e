import { endianness } from 'node:os';
import type { DropReader } from '../../record/decode.js';
import { FLAGS } from '../../record/layout.gen.js';
import { FIELD, type Fields } from './rule.js';

/** What conditions may look at, as it was when the packet died. Without an entry: not known. */
export function fieldsOf(drop: DropReader): Fields {
  const isV6 = drop.family === 6;
  const fields = new Map<number, Uint8Array>([
    [FIELD.IIFNAME, deviceName(drop.device)],
    [FIELD.IIF, word(drop.ifindex)],
    [FIELD.MARK, word(drop.mark)],
    [FIELD.NFPROTO, Uint8Array.of(isV6 ? NFPROTO_IPV6 : NFPROTO_IPV4)],
    [FIELD.ETHERTYPE, isV6 ? Uint8Array.of(0x86, 0xdd) : Uint8Array.of(0x08, 0x00)],
    [FIELD.SRC, drop.srcBytes],
    [FIELD.DST, drop.dstBytes],
  ]);
  if (drop.flags & FLAGS.L4_PROTOCOL) fields.set(FIELD.L4PROTO, Uint8Array.of(drop.protocol));
  return fields;
}

function deviceName(name: string): Uint8Array {
  const bytes = new Uint8Array(DEVICE_BYTES);
  bytes.set(Buffer.from(name).subarray(0, DEVICE_BYTES));
  return bytes;
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, endianness() === 'LE');
  return bytes;
}

/** include/uapi/linux/netfilter.h */
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;
const DEVICE_BYTES = 16;
