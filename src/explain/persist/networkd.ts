import type { Files, Line } from './files.js';
import { globToRegExp } from './glob.js';
import { type IniLine, maskedByName, readSections } from './ini.js';

/** The line that systemd-networkd sets a device's rp_filter by, and files of which it is not known whether they do. */
export interface NetworkdAnswer {
  readonly line?: Line;
  readonly unknown: readonly string[];
}

/**
 * systemd.network(5): IPv4ReversePathFilter= in the [Network] section of the first .network file that matches the device, with
 * its drop-ins (systemd 255 and newer). networkd.conf and .netdev files cannot set it.
 */
export function networkdAnswer(files: Files, device: string): NetworkdAnswer {
  const unknown: string[] = [];
  for (const file of maskedByName(files, NETWORK_FOLDERS, '.network')) {
    const lines = withDropIns(files, file);
    const match = matchOf(lines, device);
    if (match === 'no') continue;
    const last = lines.findLast(({ section, key }) => section === 'Network' && key === KEY);
    if (match === 'maybe') {
      if (last) unknown.push(`${last.file}:${last.line}: it matches by more than names`);
      continue;
    }
    return last !== undefined && last.value in NETWORKD_VALUES ? { line: last, unknown } : { unknown };
  }
  return { unknown };
}

function withDropIns(files: Files, file: string): IniLine[] {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const folders = NETWORK_FOLDERS.map((folder) => `${folder}/${name}.d`);
  return [file, ...maskedByName(files, folders, '.conf')].flatMap((one) => readSections(files, one));
}

/** Without a [Match] section a file is for all devices. */
function matchOf(lines: readonly IniLine[], device: string): 'yes' | 'no' | 'maybe' {
  const conditions = lines.filter(({ section, value }) => section === 'Match' && value !== '');
  const names = conditions.filter(({ key }) => key === 'Name').flatMap(({ value }) => value.split(/\s+/));
  if (names.length > 0 && !matchesName(names, device)) return 'no';
  return conditions.some(({ key }) => key !== 'Name') ? 'maybe' : 'yes';
}

/** A list that begins with an exclamation mark is for all other devices. */
function matchesName([first = '', ...rest]: readonly string[], device: string): boolean {
  const isInverted = first.startsWith('!');
  const patterns = [isInverted ? first.slice(1) : first, ...rest];
  return patterns.some((pattern) => globToRegExp(pattern).test(device)) !== isInverted;
}

const KEY = 'IPv4ReversePathFilter';
/** What it writes for each. */
export const NETWORKD_VALUES: Readonly<Record<string, string>> = { no: '0', strict: '1', loose: '2' };
const NETWORK_FOLDERS = [
  '/etc/systemd/network',
  '/run/systemd/network',
  '/usr/local/lib/systemd/network',
  '/usr/lib/systemd/network',
  '/lib/systemd/network',
];
