import type { DeviceRole } from '../events.js';
import { settingKey } from '../explain/fix.js';
import { NETWORKD_VALUES } from '../explain/persist/networkd.js';
import type { PersistedSetting } from '../explain/persist.js';
import type { LaterReport } from './report.js';

export interface LineFixOptions {
  readonly scope: string;
  readonly setting: string;
  /** What it may be set to. */
  readonly value: number;
  /** Of the devices that the line would break. */
  readonly roles: readonly DeviceRole[];
  readonly root: string;
}

/** A command that keeps a line of a file from doing harm. Files of packages are overridden, not changed: updates bring them back. */
export function lineFix(
  line: PersistedSetting,
  options: LineFixOptions,
): Pick<LaterReport, 'fix' | 'fix_unknown'> {
  const { scope, value, root } = options;
  if (line.by === 'networkmanager')
    return { fix_unknown: `${line.file} is a script: change its line ${line.line}` };
  const isPattern = /[*?[]/.test(line.key);
  const isSysctl = line.by === 'sysctl' || line.by === 'cilium';
  if (isSysctl && (isPattern || !line.file.startsWith('/etc/'))) {
    const keys =
      isPattern && scope !== 'all' && scope !== 'default' ? patternsFor(options) : [ownKey(options)];
    const lines = keys.map((key) => quote(`${key} = ${value}`)).join(' ');
    return { fix: [`printf '%s\\n' ${lines} >> ${quote(`${root}${OVERRIDE}`)}`] };
  }
  const written = line.by === 'networkd' ? networkdWord(value) : ` ${value}`;
  return { fix: [`sed -i '${line.line}s/=.*/=${written}/' ${quote(`${root}${line.file.slice(1)}`)}`] };
}

/** New devices have names that nobody knows yet, so it takes a pattern for their kind. */
function patternsFor({ roles, scope, setting }: LineFixOptions): string[] {
  const prefixes = [...new Set(roles.map((role) => PREFIXES[role]))];
  if (prefixes.includes(undefined)) return [settingKey(scope, setting)];
  return prefixes.map((prefix) => settingKey(`${prefix}*`, setting));
}

function ownKey({ scope, setting }: LineFixOptions): string {
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
