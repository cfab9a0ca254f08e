import type { Place } from './topology.js';

/** What rpftrace-send is to send, and from where. Names as in its options. */
export interface LabPacket {
  readonly from: Place;
  readonly kind: 'udp' | 'tcp' | 'icmp' | 'arp';
  readonly src: string;
  readonly dst: string;
  /** Default eth0. */
  readonly device?: string;
  readonly srcPort?: number;
  readonly dstPort?: number;
  /** Payload bytes. */
  readonly length?: number;
  readonly ttl?: number;
  /** Hexadecimal; default 02, SYN. */
  readonly tcpFlags?: string;
  readonly vlan?: number;
  /** Payload bytes of each fragment. */
  readonly fragment?: number;
  /** Packet bytes that are sent, headers untouched. */
  readonly truncate?: number;
  /** Bytes after the IP header that are sent; the header says so. */
  readonly shorten?: number;
  /** What the IPv4 header says of its own length, in 32 bit words. */
  readonly headerLength?: number;
  /** Payload bytes of each segment of a super-packet. */
  readonly gso?: number;
  /** Packet bytes in the linear area. */
  readonly linear?: number;
  /** How many flows the packets take turns among. */
  readonly flows?: number;
  /** What makes flows differ. */
  readonly spread?: 'port' | 'address';
}
