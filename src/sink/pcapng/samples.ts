import type { DropEvent } from '../../events.js';
import { LINK_TYPE, type LinkType } from './blocks.js';

/** What there is of a packet. */
export interface Sample {
  readonly bytes: Buffer;
  /** Bytes that the packet had. */
  readonly original: number;
  readonly linkType: LinkType;
}

/**
 * The bytes of the packets: those of the drop itself, or, where drops were only counted, of the last one of their flow that
 * came with its bytes. Of the last MAX_FLOWS flows.
 */
export class Samples {
  /** The flow that was asked for longest ago first. */
  readonly #ofFlows = new Map<string, Sample>();

  of(event: DropEvent): Sample {
    const length = event.packet?.length ?? 0;
    const key = flowKey(event);
    const known = event.aggregate === undefined ? ownSample(event, length) : this.#ofFlows.get(key);
    if (known === undefined) return { bytes: NOTHING, original: length, linkType: LINK_TYPE.bytes };
    this.#ofFlows.delete(key);
    this.#ofFlows.set(key, known);
    if (this.#ofFlows.size > MAX_FLOWS) this.#ofFlows.delete(this.#ofFlows.keys().next().value as string);
    return known;
  }
}

function ownSample({ packet_bytes, packet_bytes_from, packet }: DropEvent, length: number): Sample {
  const bytes = packet_bytes === undefined ? NOTHING : Buffer.from(packet_bytes, 'base64');
  const linkType = linkTypeOf(packet_bytes_from, packet?.family);
  const original = length + (linkType === LINK_TYPE.ethernet ? macBytes(bytes) : 0);
  return { bytes, original: Math.max(original, bytes.length), linkType };
}

function linkTypeOf(from: DropEvent['packet_bytes_from'], family: string | undefined): LinkType {
  if (from === 'mac') return LINK_TYPE.ethernet;
  return from === 'network' && family !== undefined ? LINK_TYPE.ip : LINK_TYPE.bytes;
}

/** Bytes before the network header, which the length of a packet is counted from. */
function macBytes(bytes: Buffer): number {
  let mac = ETHERNET_BYTES;
  while (mac <= MAX_MAC - 4 && mac <= bytes.length && VLAN.includes(bytes.readUInt16BE(mac - 2))) mac += 4;
  return mac;
}

function flowKey({ node, device, packet, reason, location }: DropEvent): string {
  const { protocol, src, src_port, dst, dst_port, mark } = packet ?? {};
  const place = `${node} ${device.netns} ${device.ifindex} ${device.name} ${reason} ${location} ${mark}`;
  return `${place} ${protocol} ${src} ${src_port} ${dst} ${dst_port}`;
}

const NOTHING = Buffer.alloc(0);
/** With 256 bytes each: half a megabyte. */
const MAX_FLOWS = 2048;
const ETHERNET_BYTES = 14;
/** With two VLAN tags; native/bpf/rpftrace.bpf.c copies no longer ones. */
const MAX_MAC = 22;
/** ETH_P_8021Q and ETH_P_8021AD, include/uapi/linux/if_ether.h */
const VLAN = [0x8100, 0x88a8];
