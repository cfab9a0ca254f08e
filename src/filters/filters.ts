import { TracerError } from '../errors.js';
import type { StartEvent } from '../events.js';
import { REFUSED_SOURCE, ReasonNames } from '../names/reasons.js';
import type { NativeAddon, NativeConfig } from '../native.js';
import { printable } from '../printable.js';
import { didYouMean } from '../suggest.js';
import { devicesIn, findNetns, type Netns, ownDevices } from './netns.js';
import { readOwnNetns } from './own-netns.js';
import { type PodFilter, type PodFilterSpec, resolvePodFilter } from './pods.js';

/** Which drops are wanted, in words. All that are given must match; of several of one kind one is enough. */
export interface FilterSpec extends PodFilterSpec {
  /** Names of drop reasons, with or without SKB_DROP_REASON_, in any case. */
  readonly reasons?: readonly string[] | undefined;
  /** The reasons with which the kernel refuses a source address. */
  readonly rpfOnly?: boolean | undefined;
  /** Device names; a trailing `*` matches any rest. */
  readonly devices?: readonly string[] | undefined;
  /** Inode number, path, or name in /run/netns. */
  readonly netns?: readonly (string | number)[] | undefined;
  /** pcap-filter(7) */
  readonly expression?: string | undefined;
}

export interface Filters {
  readonly config: NativeConfig;
  readonly described: StartEvent['filters'];
  readonly pods: PodFilter | undefined;
  /** Read when reasons were given. */
  readonly reasonNames: ReasonNames | undefined;
}

/** Turns words into what the kernel compares. Throws E_UNKNOWN_..., E_EXPRESSION or E_USAGE, with what was meant perhaps. */
export function resolveFilters(addon: NativeAddon, spec: FilterSpec): Filters {
  checkLimits(spec);
  const reasonNames = wantsReasons(spec) ? ReasonNames.read(addon) : undefined;
  const reasons = reasonNames ? resolveReasons(reasonNames, spec) : [];
  const netns = (spec.netns ?? []).map((one) => findNetns(addon, String(one)));
  const devices = spec.devices ?? [];
  for (const device of devices) checkDevice(addon, device, netns);
  checkLimits({ reasons });
  checkExpression(addon, spec.expression);
  const pods = resolvePodFilter(spec, readOwnNetns);
  const inums = [...new Set(netns.map((one) => one.inum))];
  return {
    config: {
      ...(reasons.length > 0 && { reasons }),
      ...(devices.length > 0 && { devices }),
      ...(inums.length > 0 && { netns: inums }),
      ...(spec.expression && { expression: spec.expression }),
    },
    described: {
      ...(reasons.length > 0 && {
        reasons: reasons.map((reason) => (reasonNames as ReasonNames).name(reason)),
      }),
      ...(devices.length > 0 && { devices: [...devices] }),
      ...(inums.length > 0 && { netns: inums }),
      ...(spec.expression && { expression: spec.expression }),
      ...pods?.described,
    },
    pods,
    reasonNames,
  };
}

/**
 * Turns words into what events are compared with. What these name may be gone by now, or still to come: nothing is looked for,
 * and nothing is read but the names of the reasons. Throws E_UNKNOWN_REASON or E_USAGE.
 */
export function resolveEventFilters(
  readNames: () => ReasonNames,
  spec: Omit<FilterSpec, 'expression' | 'thisPod'>,
): Pick<Filters, 'described' | 'pods'> {
  checkLimits(spec);
  const { devices = [], netns = [] } = spec;
  for (const device of devices) checkDeviceName(device);
  const inums = [...new Set(netns.map((one) => parseInum(String(one))))];
  const pods = resolvePodFilter(spec, () => undefined);
  const names = wantsReasons(spec) ? readNames() : undefined;
  return {
    described: {
      ...(names && { reasons: resolveReasons(names, spec).map((reason) => names.name(reason)) }),
      ...(devices.length > 0 && { devices: [...devices] }),
      ...(inums.length > 0 && { netns: inums }),
      ...pods?.described,
    },
    pods,
  };
}

function wantsReasons({ rpfOnly, reasons = [] }: FilterSpec): boolean {
  return rpfOnly === true || reasons.length > 0;
}

function resolveReasons(names: ReasonNames, spec: FilterSpec): number[] {
  const wanted = (spec.reasons ?? []).map((name) => findReason(names, name));
  if (!spec.rpfOnly) return [...new Set(wanted)];
  const refusals = REFUSED_SOURCE.flatMap((name) => names.find(name) ?? []);
  if (refusals.length > 0) return [...new Set([...refusals, ...wanted])];
  throw new TracerError('E_KERNEL_TOO_OLD', 'this kernel has no drop reasons for refused sources', {
    remedies: ['trace all drops and look at their location', 'use Linux 5.18 or newer'],
  });
}

function findReason(names: ReasonNames, name: string): number {
  const reason = names.find(name);
  if (reason !== undefined) return reason;
  const hint = didYouMean(name.replace(/^SKB_DROP_REASON_/i, ''), names.all);
  throw new TracerError('E_UNKNOWN_REASON', `this kernel has no drop reason ${printable(name)}${hint}`, {
    remedies: [`list its ${names.all.length} reasons: rpftrace trace --reason help`],
  });
}

function checkDeviceName(device: string): void {
  const star = device.indexOf('*');
  const length = Buffer.byteLength(device) - (star < 0 ? 0 : 1);
  if (device === '' || length > MAX_NAME || (star >= 0 && star !== device.length - 1)) {
    throw new TracerError(
      'E_USAGE',
      `${printable(device)} is not a device name of at most ${MAX_NAME} bytes`,
      {
        remedies: ['a pattern has one * at its end: lxc*'],
      },
    );
  }
}

/** All that an event has of a network namespace. */
function parseInum(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_INUM) return Number(text);
  throw new TracerError(
    'E_USAGE',
    `${printable(text.slice(0, 64))} is no inode number: events have no other name for a network namespace`,
    { remedies: ['ask for the number: stat -Lc %i /run/netns/NAME, or of /proc/PID/ns/net'] },
  );
}

/** A device that is not there yet can be waited for with a pattern. */
function checkDevice(addon: NativeAddon, device: string, netns: readonly Netns[]): void {
  checkDeviceName(device);
  if (device.endsWith('*')) return;
  const places = netns.length === 0 ? [ownDevices()] : netns.map((one) => devicesIn(addon, one));
  if (places.some((names) => names === undefined || names.includes(device))) return;
  const where =
    netns.length === 0 ? 'in the network namespace of rpftrace' : 'in the network namespaces given';
  const hint = didYouMean(device, places.flatMap((names) => names ?? []).map(printable));
  throw new TracerError('E_UNKNOWN_DEVICE', `there is no device ${printable(device)} ${where}${hint}`, {
    remedies: [
      'list the devices: ip link',
      'for a device of another network namespace give that too: --netns NAME',
      `for one that is still to come give a pattern: --device '${printable(device)}*'`,
    ],
  });
}

function checkExpression(addon: NativeAddon, expression: string | undefined): void {
  if (!expression) return;
  const wrong = addon.checkFilter(expression);
  if (wrong === undefined) return;
  throw new TracerError('E_EXPRESSION', `${wrong.message}\n${mark(expression, wrong.position)}`);
}

/** The expression with a caret below the byte at `position`. */
function mark(expression: string, position: number): string {
  const before = printable(Buffer.from(expression).subarray(0, position).toString());
  return `  ${printable(expression)}\n  ${' '.repeat(before.length)}^`;
}

function checkLimits(
  filters: { readonly [Kind in keyof typeof LIMITS]?: readonly unknown[] | undefined },
): void {
  for (const [kind, limit] of Object.entries(LIMITS)) {
    const given = filters[kind as keyof typeof LIMITS]?.length ?? 0;
    if (given <= limit) continue;
    throw new TracerError('E_USAGE', `${given} ${kind} are given, a filter holds ${limit}`, {
      remedies: [],
    });
  }
}

/** native/core/rpf_core.h */
const LIMITS = { reasons: 64, devices: 16, netns: 256 };
/** IFNAMSIZ without its terminator, include/uapi/linux/if.h */
const MAX_NAME = 15;
const MAX_INUM = 0xffff_ffff;
