import { formatAddress } from './address.js';
import { HEADER, NETCONF, NETCONF_VALUES, ROUTE_CHANGE } from './layout.gen.js';
import { isCount, WholeReader } from './record-reader.js';

/** struct rpf_route_change. Names and meanings are those of native/include/rpf_record.h. */
export class RouteChangeReader extends WholeReader {
  readonly size = ROUTE_CHANGE.size;

  override isPlausible(): boolean {
    return isCount(this.count);
  }
  get timeNs(): bigint {
    return this.bigLong(HEADER.time_ns);
  }
  get notBeforeNs(): bigint {
    return this.bigLong(ROUTE_CHANGE.not_before_ns);
  }
  get count(): number {
    return this.long(ROUTE_CHANGE.count);
  }
  get netns(): number {
    return this.word(ROUTE_CHANGE.netns);
  }
  get portId(): number {
    return this.word(ROUTE_CHANGE.port_id);
  }
  get what(): number {
    return this.word(ROUTE_CHANGE.what);
  }
  get action(): number {
    return this.word(ROUTE_CHANGE.action);
  }
  get table(): number {
    return this.word(ROUTE_CHANGE.table);
  }
  get priority(): number {
    return this.word(ROUTE_CHANGE.priority);
  }
  get ifindex(): number {
    return this.word(ROUTE_CHANGE.ifindex);
  }
  get nexthopId(): number {
    return this.word(ROUTE_CHANGE.nexthop_id);
  }
  get mark(): number {
    return this.word(ROUTE_CHANGE.mark);
  }
  get markMask(): number {
    return this.word(ROUTE_CHANGE.mark_mask);
  }
  get selectors(): number {
    return this.word(ROUTE_CHANGE.selectors);
  }
  get hopCount(): number {
    return this.word(ROUTE_CHANGE.hops);
  }
  /** ifindex of each next hop, as many as the record holds. */
  get hops(): number[] {
    const length = Math.min(this.hopCount, ROUTE_CHANGE.hop_ifindex_length);
    return Array.from({ length }, (_, index) => this.word(ROUTE_CHANGE.hop_ifindex + index * 4));
  }
  /** "10.244.3.0/24" */
  get prefix(): string {
    return `${this.#address(ROUTE_CHANGE.prefix)}/${this.byte(ROUTE_CHANGE.prefix_bits)}`;
  }
  /** Of a rule. */
  get source(): string {
    return `${this.#address(ROUTE_CHANGE.source)}/${this.byte(ROUTE_CHANGE.source_bits)}`;
  }
  /** 0.0.0.0: none, or not IPv4. */
  get gateway(): string {
    return this.#address(ROUTE_CHANGE.gateway);
  }
  get type(): number {
    return this.byte(ROUTE_CHANGE.type);
  }
  get protocol(): number {
    return this.byte(ROUTE_CHANGE.protocol);
  }
  get device(): string {
    return this.text(ROUTE_CHANGE.device, ROUTE_CHANGE.device_length);
  }

  #address(offset: number): string {
    return formatAddress(this.view.bytes, this.at + offset, 4);
  }
}

/** struct rpf_netconf */
export class NetconfReader extends WholeReader {
  readonly size = NETCONF.size;

  get timeNs(): bigint {
    return this.bigLong(HEADER.time_ns);
  }
  get netns(): number {
    return this.word(NETCONF.netns);
  }
  /** `all`, `default`, or a device; empty where it is gone already. */
  get device(): string {
    return this.text(NETCONF.device, NETCONF.device_length);
  }
  /** The settings that it tells and what they are. None: messages were passed over. */
  get values(): [setting: string, value: number][] {
    const told = this.word(NETCONF.values);
    return SETTINGS.filter(([bit]) => (told & bit) !== 0).map(([, setting]) => [
      setting,
      this.signed(NETCONF[setting]),
    ]);
  }
}

const SETTINGS = [
  [NETCONF_VALUES.NETCONF_RP_FILTER, 'rp_filter'],
  [NETCONF_VALUES.NETCONF_ACCEPT_LOCAL, 'accept_local'],
  [NETCONF_VALUES.NETCONF_SRC_VALID_MARK, 'src_valid_mark'],
  [NETCONF_VALUES.NETCONF_ROUTE_LOCALNET, 'route_localnet'],
  [NETCONF_VALUES.NETCONF_FORWARDING, 'forwarding'],
  [NETCONF_VALUES.NETCONF_LOG_MARTIANS, 'log_martians'],
] as const;
