import type { Change } from '../settings/change.js';
import { settingName } from '../settings/name.js';
import type { SettingTable } from '../settings/table.js';
import type { Condition } from './culprit.js';

/**
 * `sysctl -w` commands that put an end to it, all of them needed: the cause set back, then what still refuses. Each device
 * is held against the kernel's own rule. Words, not lines; empty where setting values back does not help.
 */
export function settingBack(
  change: Change,
  condition: Condition,
  devices: Iterable<string>,
  table: SettingTable,
): string[][] {
  const { device, setting } = change;
  const old = Number(change.event.old);
  if (!Number.isInteger(old)) return [];
  const after = table.copy();
  const words = [command(device, change.event.setting, old)];
  after.write(device, old);
  for (const other of [...devices].filter((one) => after.values.has(one)).slice(0, MAX_COMMANDS)) {
    if (!condition.refuses(after.effective(other) as number)) continue;
    for (const holder of ['all', other]) {
      if (!condition.refuses(after.values.get(holder) as number) || holder === device) continue;
      const allowed = ALLOWED[setting] ?? 0;
      words.push(command(holder, setting, allowed));
      after.write(holder, allowed);
    }
  }
  return words;
}

function command(device: string, setting: string, value: number): string[] {
  return ['sysctl', '-w', `${settingName({ device, setting })}=${value}`];
}

/** The value that lets packets in. */
const ALLOWED: Readonly<Record<string, number>> = { accept_local: 1, route_localnet: 1 };
const MAX_COMMANDS = 16;
