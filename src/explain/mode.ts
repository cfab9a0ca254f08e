import type { RpfMode } from '../events.js';
import type { DropReader } from '../record/decode.js';
import { FLAGS, KNOBS } from '../record/layout.gen.js';

/**
 * The reverse-path mode that the kernel used, as IN_DEV_RPFILTER() combines it: the greater of both settings, compared as
 * signed integers that nobody has checked; the switches are ORed (include/linux/inetdevice.h, v6.18). Undefined where the
 * device has no IPv4 part or the packet is not IPv4.
 */
export function explainMode(drop: DropReader): RpfMode | undefined {
  const { flags, knobs } = drop;
  if (!(flags & FLAGS.CONF) || drop.family !== 4) return undefined;
  const all = drop.rpFilterAll;
  const device = drop.rpFilterDevice;
  return {
    all,
    device,
    effective: Math.max(all, device),
    decided_by: all === device ? 'both' : all > device ? 'all' : 'device',
    unnumbered: !(flags & FLAGS.DEVICE_HAS_IPV4),
    accept_local: (knobs & (KNOBS.ACCEPT_LOCAL_ALL | KNOBS.ACCEPT_LOCAL_DEVICE)) !== 0,
    src_valid_mark: (knobs & (KNOBS.SRC_VALID_MARK_ALL | KNOBS.SRC_VALID_MARK_DEVICE)) !== 0,
    route_localnet: (knobs & (KNOBS.ROUTE_LOCALNET_ALL | KNOBS.ROUTE_LOCALNET_DEVICE)) !== 0,
    forwarding: (knobs & KNOBS.FORWARDING_DEVICE) !== 0,
  };
}
