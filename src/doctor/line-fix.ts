import type { DeviceRole } from '../events.js';
import { settingKey } from '../explain/fix.js';
import { NETWORKD_VALUES } from '../explain/persist/networkd.js';
import type { PersistedSetting } from '../explain/persist.js';
import type { LaterReport } from './report.js';

/** A setting that the line reaches, and what it may be instead. */
export interface Reached {
  readonly scope: string;
  readonly setting: string;
  readonly value: number;
  /** Of the device that it is for. */
  readonly role: DeviceRole;
}

/**
 * A command that keeps a line of a file from doing harm. Files of packages are overridden, not changed: updates would bring them
 * back. So are lines with a pattern: they may do good to others.
 */
export function lineFix(
  line: PersistedSetting,
  reached: readonly Reached[],
  root: string,
): Pick<LaterReport, 'fix' | 'fix_unknown'> {
  if (line.by === 'networkmanager')
    return { fix_unknown: `${line.file} is a script: change its line ${line.line}` };
  const isPattern = /[*?[]/.test(line.key);
  const isSysctl = line.by === 'sysctl' || line.by === 'cilium';
  if (isSysctl && (isPattern || !line.file.startsWith('/etc/'))) {
    const lines = [
      ...new Set(reached.map((one) => `${isPattern ? patternFor(one) : keyOf(one)} = ${one.value}`)),
    ];
    return { fix: [`printf '%s\\n' ${lines.map(quote).join(' ')} >> ${quote(`${root}${OVERRIDE}`)}`] };
  }
  const value = Math.min(...reached.map((one) => one.value));
  const written = line.by === 'networkd' ? networkdWord(value) : ` ${value}`;
  return {
    fix: [
      `sed -i --follow-symlinks '${line.line}s/=.*/=${written}/' ${quote(`${root}${line.file.slice(1)}`)}`,
    ],
  };
}

/** New devices have names that nobody knows yet, so it takes a pattern for their kind. */
function patternFor(reached: Reached): string {
  const prefix = PREFIXES[reached.role];
  const isDevice = reached.scope !== 'all' && reached.scope !== 'default';
  return isDevice && prefix !== undefined ? settingKey(`${prefix}*`, reached.setting) : keyOf(reached);
}

function keyOf({ scope, setting }: Reached): string {
  return settingKey(scope, setting);
}

function networkdWord(value: number): string {
  return Object.entries(NETWORKD_VALUES).find(([, given]) => given === String(value))?.[0] ?? 'no';
}

function quote(word: string): string {
  return /^[\w./@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** As the container networks call their devices. */
const PREFIXES: Partial<Record<DeviceRole, string>> = {
  cilium_lxc: 'lxc',
  cilium_health: 'lxc',
  calico: 'cali',
  azure: 'azv',
  gke: 'gke',
  oke: 'oci',
  veth: 'veth',
};

/** Sorted after all others, so that it has the last word. */
const OVERRIDE = 'etc/sysctl.d/zz-rpftrace-doctor.conf';
