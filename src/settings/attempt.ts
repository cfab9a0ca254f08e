import type { SysctlChangeEvent, Writer } from '../events.js';
import type { SysctlReader } from '../record/decode.js';
import { SYSCTL_FLAGS } from '../record/layout.gen.js';
import { parseSettingPath, type SettingName } from './name.js';
import { parseValue } from './value.js';

/** A write as the hook saw it: before the kernel looked at the value. */
export interface Attempt extends SettingName {
  readonly timeNs: bigint;
  /** When its record came. */
  readonly takenNs: bigint;
  readonly netns: number;
  /** 0n: unknown. */
  readonly netnsCookie: bigint;
  /** undefined: the kernel did not give it. */
  readonly old: number | undefined;
  readonly oldText: string | undefined;
  readonly newText: string;
  /** undefined: no number that the kernel takes. */
  readonly wanted: number | undefined;
  /** The rest of a value that is written in pieces. */
  readonly isRest: boolean;
  readonly writer: Writer;
}

export type Outcome = Pick<SysctlChangeEvent, 'outcome' | 'confirmed_by' | 'confirmed_unknown'>;

/** Undefined for what is not a setting of ours. */
export function readAttempt(record: SysctlReader, writer: Writer, takenNs: bigint): Attempt | undefined {
  const name = parseSettingPath(record.name);
  if (name === undefined) return undefined;
  const oldText = record.flags & SYSCTL_FLAGS.SYSCTL_OLD_UNKNOWN ? undefined : record.oldValue.trim();
  const newText = record.newValue;
  return {
    ...name,
    timeNs: record.timeNs,
    takenNs,
    netns: record.netns,
    netnsCookie: record.netnsCookie,
    old: oldText === undefined ? undefined : parseValue(oldText),
    oldText,
    newText: newText.replace(/\n$/, ''),
    wanted: parseValue(newText),
    isRest: record.position !== 0,
    writer,
  };
}

/** What the setting held after an attempt, and how that is known; or why it is not. */
export type After =
  | { readonly value: number; readonly by: 'read_back' | 'next_write' }
  | { readonly why: string };

/** What an attempt came to. With `isPatchy` other writes may have come between it and what was found. */
export function judge(attempt: Attempt, after: After, isPatchy: boolean): Outcome {
  if (attempt.isRest) return { outcome: 'partial' };
  if ('why' in after) return { outcome: 'unconfirmed', confirmed_unknown: after.why };
  const { wanted, old } = attempt;
  const confirmed = { confirmed_by: after.by };
  if (after.value === wanted) return { outcome: wanted === old ? 'unchanged' : 'changed', ...confirmed };
  if (isPatchy && wanted !== undefined)
    return { outcome: 'unconfirmed', confirmed_unknown: 'the records of other writes were lost' };
  if (after.value === old) return { outcome: 'rejected', ...confirmed };
  return {
    outcome: 'unconfirmed',
    confirmed_unknown: `it was ${after.value} afterwards: something else wrote it too`,
  };
}

/**
 * Whether more may come that explains what was read: the kernel may not have taken the value yet, or another one already
 * whose record is on its way.
 */
export function isPuzzling(attempt: Attempt, after: After): boolean {
  if (attempt.isRest || 'why' in after || after.by === 'next_write') return false;
  const { wanted = attempt.old } = attempt;
  return after.value !== wanted;
}

/** Whether what puzzles has had its time. */
export function isStale(attempt: Attempt, nowNs: bigint): boolean {
  return nowNs - attempt.takenNs >= DECIDED_NS;
}

/** What the next write to the same setting found; undefined when it does not tell. */
export function afterByNext(attempt: Attempt, next: Attempt): After | undefined {
  if (next.old === undefined) return undefined;
  const isCertain =
    next.old === attempt.wanted ||
    next.writer.pid === attempt.writer.pid ||
    next.timeNs - attempt.timeNs > DECIDED_NS;
  return isCertain
    ? { value: next.old, by: 'next_write' }
    : { why: 'another process wrote it at the same time' };
}

/** From the hook to the new value pass microseconds, unless the writer is scheduled away: then some time slices. */
export const DECIDED_MS = 25;
const DECIDED_NS = BigInt(DECIDED_MS) * 1_000_000n;
