import { formatAddress } from './address.js';
import { BATCH, DETAIL, DROP, FLOW, HEADER, LINK, LOST, RECORD_KIND, SYSCTL, TASK } from './layout.gen.js';
import {
  type BatchView,
  decodeUtf8,
  HIGH,
  isCount,
  LOW,
  RecordReader,
  viewOf,
  WholeReader,
} from './record-reader.js';
import { NetconfReader, RouteChangeReader } from './route-records.js';

export { type BatchView, decodeCString, viewOf } from './record-reader.js';

/** What next() returns after the last record. */
export const END_OF_BATCH = 0;

/**
 * Walks over the records of a batch. `drop`, `lost` and the others are flyweights: each shows the record of its kind that
 * next() found last, and is valid until the next call. Nothing is read outside of the batch, whatever the bytes say: a
 * record that cannot be right is counted in `malformed` and passed over, the rest of a batch too where its end is unknown.
 */
export class BatchReader {
  readonly drop = new DropReader();
  readonly lost = new LostReader();
  readonly link = new LinkReader();
  readonly sysctl = new SysctlReader();
  readonly routeChange = new RouteChangeReader();
  readonly netconf = new NetconfReader();
  readonly #others: Partial<Record<number, WholeReader>> = {
    [RECORD_KIND.RECORD_LOST]: this.lost,
    [RECORD_KIND.RECORD_LINK]: this.link,
    [RECORD_KIND.RECORD_SYSCTL]: this.sysctl,
    [RECORD_KIND.RECORD_ROUTE_CHANGE]: this.routeChange,
    [RECORD_KIND.RECORD_NETCONF]: this.netconf,
  };
  /** Records that could not be read, since the start. */
  malformed = 0;
  /** CLOCK_REALTIME minus CLOCK_MONOTONIC, ns, when this batch was made; undefined when it does not say. */
  wallOffsetNs: bigint | undefined;
  /** CLOCK_MONOTONIC of that; 0n when it does not say. */
  timeNs = 0n;
  #view: BatchView = viewOf(new ArrayBuffer(0));
  #at = 0;
  #end = 0;

  /** Starts with a new batch of `length` bytes. */
  open(view: BatchView, length: number): void {
    this.#view = view;
    this.#at = 0;
    this.#end = Math.min(length, view.words.length * 4);
    if (this.#end !== length) this.malformed++;
    this.drop.view = view;
    for (const reader of Object.values(this.#others)) if (reader) reader.view = view;
    this.wallOffsetNs = this.#readWallOffset();
    this.timeNs = this.wallOffsetNs === undefined ? 0n : readS64(view.words, HEADER.time_ns);
  }

  /** Moves on to the next record and returns its kind, or END_OF_BATCH. */
  next(): number {
    for (;;) {
      const at = this.#at;
      if (at === this.#end) return END_OF_BATCH;
      const size = this.#recordSize(at);
      if (size === 0) return this.#giveUp();
      this.#at = at + size;
      const kind = this.#accept(at, size);
      if (kind !== 0) return kind;
    }
  }

  #readWallOffset(): bigint | undefined {
    const { words } = this.#view;
    if (this.#recordSize(0) < BATCH.size || words[HEADER.kind >>> 2] !== RECORD_KIND.RECORD_BATCH)
      return undefined;
    return readS64(words, BATCH.wall_offset_ns);
  }

  /** The size of the record at `at`, or 0 when there is no whole record. */
  #recordSize(at: number): number {
    if (at + HEADER.size > this.#end) return 0;
    const size = this.#view.words[at >>> 2] as number;
    if (size < HEADER.size || size % 8 !== 0 || size > this.#end - at) return 0;
    return size;
  }

  #giveUp(): number {
    this.malformed++;
    this.#at = this.#end;
    return END_OF_BATCH;
  }

  /** Points the flyweight of its kind at the record. Returns 0 for what the caller need not see. */
  #accept(at: number, size: number): number {
    const kind = this.#view.words[(at + HEADER.kind) >>> 2] as number;
    if (kind === RECORD_KIND.RECORD_DROP && size >= DROP.size) {
      this.drop.at = at;
      if (isCount(this.drop.count) && this.drop.snapBytes <= size - DROP.size) return kind;
    } else if (this.#acceptOther(kind, at, size)) return kind;
    else if (kind === RECORD_KIND.RECORD_BATCH && size >= BATCH.size) return 0;
    this.malformed++;
    return 0;
  }

  #acceptOther(kind: number, at: number, size: number): boolean {
    const reader = this.#others[kind];
    if (reader === undefined || size < reader.size) return false;
    reader.at = at;
    return reader.isPlausible();
  }
}

/** struct rpf_drop. Names and meanings are those of native/include/rpf_record.h. */
export class DropReader extends RecordReader {
  /** CLOCK_MONOTONIC of the first drop that count covers, ns: low and high half. */
  get firstLow(): number {
    return this.word(DROP.first_ns + LOW);
  }
  get firstHigh(): number {
    return this.word(DROP.first_ns + HIGH);
  }
  get count(): number {
    return this.long(DROP.count);
  }
  get skbLow(): number {
    return this.word(DROP.skb + LOW);
  }
  get skbHigh(): number {
    return this.word(DROP.skb + HIGH);
  }
  get snapBytes(): number {
    return this.word(DROP.snap_bytes);
  }
  /** The packet bytes. A view: copy what has to stay. */
  get snap(): Uint8Array {
    const start = this.at + DROP.size;
    return this.view.bytes.subarray(start, start + this.snapBytes);
  }

  get cgroupId(): bigint {
    return this.bigLong(DROP.task + TASK.cgroup_id);
  }
  get pid(): number {
    return this.word(DROP.task + TASK.pid);
  }
  get comm(): string {
    return this.text(DROP.task + TASK.comm, TASK.comm_length);
  }

  get location(): bigint {
    return this.bigLong(DROP.flow + FLOW.location);
  }
  get reason(): number {
    return this.word(DROP.flow + FLOW.reason);
  }
  get netns(): number {
    return this.word(DROP.flow + FLOW.netns);
  }
  get ifindex(): number {
    return this.word(DROP.flow + FLOW.ifindex);
  }
  get mark(): number {
    return this.word(DROP.flow + FLOW.mark);
  }
  get device(): string {
    return this.text(DROP.flow + FLOW.device, FLOW.device_length);
  }
  /** As text; what it says of a family that is neither 4 nor 6 means nothing. */
  get src(): string {
    return formatAddress(this.view.bytes, this.at + DROP.flow + FLOW.src, this.family);
  }
  get dst(): string {
    return formatAddress(this.view.bytes, this.at + DROP.flow + FLOW.dst, this.family);
  }
  /** As they were on the wire: 4 or 16. A view: copy what has to stay. */
  get srcBytes(): Uint8Array {
    return this.#addressBytes(FLOW.src);
  }
  get dstBytes(): Uint8Array {
    return this.#addressBytes(FLOW.dst);
  }
  /** Id of the cgroup that the packet's socket was made in; 0: unknown. The kernel counts them up from 1: exact. */
  get socketCgroup(): number {
    return this.long(DROP.flow + FLOW.socket_cgroup);
  }
  get srcPort(): number {
    return this.half(DROP.flow + FLOW.src_port);
  }
  get dstPort(): number {
    return this.half(DROP.flow + FLOW.dst_port);
  }
  get ethertype(): number {
    return this.half(DROP.flow + FLOW.ethertype);
  }
  get family(): number {
    return this.byte(DROP.flow + FLOW.family);
  }
  get protocol(): number {
    return this.byte(DROP.flow + FLOW.protocol);
  }
  get rpFilterAll(): number {
    return this.signed(DROP.flow + FLOW.rp_filter_all);
  }
  get rpFilterDevice(): number {
    return this.signed(DROP.flow + FLOW.rp_filter_device);
  }

  get netnsCookie(): bigint {
    return this.bigLong(DROP.detail + DETAIL.netns_cookie);
  }
  get flags(): number {
    return this.word(DROP.detail + DETAIL.flags);
  }
  get knobs(): number {
    return this.word(DROP.detail + DETAIL.knobs);
  }
  get length(): number {
    return this.word(DROP.detail + DETAIL.length);
  }
  get gsoSegs(): number {
    return this.half(DROP.detail + DETAIL.gso_segs);
  }
  get gsoSize(): number {
    return this.half(DROP.detail + DETAIL.gso_size);
  }
  get vlanId(): number {
    return this.half(DROP.detail + DETAIL.vlan_id);
  }
  get fragmentOffset(): number {
    return this.half(DROP.detail + DETAIL.fragment_offset);
  }
  get ttl(): number {
    return this.byte(DROP.detail + DETAIL.ttl);
  }
  get tcpFlags(): number {
    return this.byte(DROP.detail + DETAIL.tcp_flags);
  }
  get icmpType(): number {
    return this.byte(DROP.detail + DETAIL.icmp_type);
  }
  get icmpCode(): number {
    return this.byte(DROP.detail + DETAIL.icmp_code);
  }
  get deviceFlags(): number {
    return this.word(DROP.detail + DETAIL.device_flags);
  }
  get deviceType(): number {
    return this.word(DROP.detail + DETAIL.device_type);
  }
  get deviceKind(): string {
    return this.text(DROP.detail + DETAIL.device_kind, DETAIL.device_kind_length);
  }
  get peerIfindex(): number {
    return this.word(DROP.detail + DETAIL.peer_ifindex);
  }
  get peerNetns(): number {
    return this.word(DROP.detail + DETAIL.peer_netns);
  }
  get peerDevice(): string {
    return this.text(DROP.detail + DETAIL.peer_device, DETAIL.peer_device_length);
  }
  get witnessTable(): number {
    return this.word(DROP.detail + DETAIL.witness_table);
  }
  /** Negative, or 0. */
  get witnessErrno(): number {
    return this.signed(DROP.detail + DETAIL.witness_err);
  }
  get witnessIfindex(): number {
    return this.word(DROP.detail + DETAIL.witness_ifindex);
  }
  /** 0.0.0.0: none, or not IPv4. */
  get witnessGateway(): string {
    return formatAddress(this.view.bytes, this.at + DROP.detail + DETAIL.witness_gateway, 4);
  }
  /** RTN_*; 0: a nexthop object does not tell. */
  get witnessType(): number {
    return this.byte(DROP.detail + DETAIL.witness_type);
  }
  get witnessDevice(): string {
    return this.text(DROP.detail + DETAIL.witness_device, DETAIL.witness_device_length);
  }

  #addressBytes(offset: number): Uint8Array {
    const start = this.at + DROP.flow + offset;
    return this.view.bytes.subarray(start, start + (this.family === 6 ? 16 : 4));
  }
}

/** struct rpf_lost */
export class LostReader extends WholeReader {
  readonly size = LOST.size;

  override isPlausible(): boolean {
    return isCount(this.count);
  }
  get count(): number {
    return this.long(LOST.count);
  }
  get where(): number {
    return this.word(LOST.where);
  }
  get reason(): number {
    return this.word(LOST.reason);
  }
  get netns(): number {
    return this.word(LOST.netns);
  }
}

/** struct rpf_link */
export class LinkReader extends WholeReader {
  readonly size = LINK.size;

  get ifindex(): number {
    return this.word(LINK.ifindex);
  }
  get gone(): boolean {
    return this.word(LINK.gone) !== 0;
  }
  get deviceFlags(): number {
    return this.word(LINK.device_flags);
  }
  get deviceType(): number {
    return this.word(LINK.device_type);
  }
  get linkIfindex(): number {
    return this.word(LINK.link_ifindex);
  }
  get masterIfindex(): number {
    return this.word(LINK.master_ifindex);
  }
  get name(): string {
    return this.text(LINK.name, LINK.name_length);
  }
  get kind(): string {
    return this.text(LINK.kind, LINK.kind_length);
  }
}

/** struct rpf_sysctl. Counts that the record could not hold are cut to what it can. */
export class SysctlReader extends WholeReader {
  readonly size = SYSCTL.size;

  get timeNs(): bigint {
    return this.bigLong(HEADER.time_ns);
  }
  get cgroupId(): bigint {
    return this.bigLong(SYSCTL.cgroup_id);
  }
  get netnsCookie(): bigint {
    return this.bigLong(SYSCTL.netns_cookie);
  }
  get netns(): number {
    return this.word(SYSCTL.netns);
  }
  get pid(): number {
    return this.word(SYSCTL.pid);
  }
  get uid(): number {
    return this.word(SYSCTL.uid);
  }
  get flags(): number {
    return this.word(SYSCTL.flags);
  }
  get position(): number {
    return this.word(SYSCTL.position);
  }
  get comm(): string {
    return this.text(SYSCTL.comm, SYSCTL.comm_length);
  }
  get name(): string {
    return this.text(SYSCTL.name, SYSCTL.name_length);
  }
  get oldValue(): string {
    return this.text(SYSCTL.old_value, SYSCTL.old_value_length);
  }
  get newValue(): string {
    return this.text(SYSCTL.new_value, SYSCTL.new_value_length);
  }
  /** The writer's parent first. */
  get parents(): { pid: number; comm: string }[] {
    const count = Math.min(this.word(SYSCTL.parents), SYSCTL.parent_pid_length);
    const bytes = SYSCTL.parent_comm_length / SYSCTL.parent_pid_length;
    return Array.from({ length: count }, (_, index) => ({
      pid: this.word(SYSCTL.parent_pid + index * 4),
      comm: this.text(SYSCTL.parent_comm + index * bytes, bytes),
    }));
  }
  /** Names on the way to the program's file: the file's own first, then the folders above it. */
  get exeParts(): string[] {
    return this.#parts(SYSCTL.exe, Math.min(this.word(SYSCTL.exe_parts), EXE_PARTS), EXE_PART_BYTES);
  }
  /** Names on the way to the writer's cgroup on the v2 hierarchy: its own first; none for the root. */
  get cgroupParts(): string[] {
    const count = Math.min(this.word(SYSCTL.cgroup_parts), CGROUP_PARTS);
    return this.#parts(SYSCTL.cgroup, count, CGROUP_PART_BYTES);
  }
  /** The words of the command line; the last may be cut. */
  get args(): string[] {
    const length = Math.min(this.word(SYSCTL.args_bytes), SYSCTL.args_length);
    const start = this.at + SYSCTL.args;
    const words = decodeUtf8(this.view.bytes.subarray(start, start + length)).split('\0');
    return words.at(-1) === '' ? words.slice(0, -1) : words;
  }

  #parts(at: number, count: number, bytes: number): string[] {
    return Array.from({ length: count }, (_, index) => this.text(at + index * bytes, bytes));
  }
}

function readS64(words: Uint32Array, at: number): bigint {
  const high = BigInt((words[(at + HIGH) >>> 2] as number) | 0);
  return (high << 32n) | BigInt(words[(at + LOW) >>> 2] as number);
}

/** RPF_EXE_PARTS and RPF_EXE_PART_BYTES, native/include/rpf_record.h */
const EXE_PARTS = 6;
const EXE_PART_BYTES = SYSCTL.exe_length / EXE_PARTS;
/** RPF_CGROUP_PARTS, likewise. */
const CGROUP_PARTS = 5;
const CGROUP_PART_BYTES = SYSCTL.cgroup_length / CGROUP_PARTS;
