import type { CausingChange, SysctlChangeEvent } from '../events.js';
import type { Effects } from './table.js';

/** A write to a setting, or a value that was found to be another one: the event, and what correlation needs of it. */
export interface Change {
  readonly event: SysctlChangeEvent;
  /** CLOCK_MONOTONIC */
  readonly timeNs: bigint;
  /** It was not there yet at this time. The time itself where the write was seen. */
  readonly notBeforeNs: bigint;
  readonly netns: number;
  readonly device: string;
  /** As the kernel stores it: `forwarding` for ip_forward. */
  readonly setting: string;
  /** All of them, `default` too. */
  readonly effects: Effects;
}

/** A change as part of another event. */
export function causingChange({ event }: Change): CausingChange {
  const { time, name, device, setting, netns, old, old_unknown, seen_by, not_before } = event;
  const { writer, writer_unknown } = event;
  return withoutUndefined({
    time,
    name,
    device,
    setting,
    netns,
    old,
    old_unknown,
    new: event.new,
    seen_by,
    not_before,
    writer,
    writer_unknown,
  });
}

/** The members of the event that say what became different. */
export function effectMembers(
  effects: Effects,
): Pick<SysctlChangeEvent, 'effective' | 'devices' | 'devices_count'> {
  const devices = [...effects].flatMap(([device, effect]) =>
    device === 'default' ? [] : [{ device, old: effect.old, new: effect.new }],
  );
  if (devices.length === 0) return { effective: false };
  return { effective: true, devices: devices.slice(0, MAX_DEVICES), devices_count: devices.length };
}

function withoutUndefined<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined)) as T;
}

const MAX_DEVICES = 16;
