import type { Persisted, Writer } from '../events.js';
import { Files, type Line } from './persist/files.js';
import { NETWORKD_VALUES, networkdAnswer } from './persist/networkd.js';
import { dispatcherLines } from './persist/networkmanager.js';
import { canonical, inForce, sysctlLines } from './persist/sysctl.js';
import { tunedLine } from './persist/tuned.js';
import { lineReadBy } from './persist/writer.js';

/** A line of a file that sets a key. */
export type PersistedSetting = Readonly<Persisted>;

export interface Persistence {
  readonly lines: readonly PersistedSetting[];
  /** What could not be looked at, and why: "/etc/sysctl.d/50-x.conf: permission denied". */
  readonly unknown: readonly string[];
}

/**
 * The lines that will set these keys again, in the order in which they are applied at boot: what systemd-sysctl and
 * `sysctl --system` read, what networkd and NetworkManager do with a device, then tuned. Of several lines of one program for
 * one key the last one wins; the others are left out. Who asks for many keys, one by one, hands over the files.
 */
export function findPersistence(
  keys: readonly string[],
  root?: string,
  files: Files = new Files(root),
): Persistence {
  const paths = keys.map(canonical);
  const sysctl = sysctlLines(files);
  const doubts: string[] = [];
  const bySysctl = paths.flatMap((path) => settings(inForce(sysctl, path), 'sysctl'));
  const byNetworkd = paths.flatMap((path) => {
    const [, device] = /^net\/ipv4\/conf\/([^/]+)\/rp_filter$/.exec(path) ?? [];
    if (device === undefined || device === 'all' || device === 'default') return [];
    const { line, unknown } = networkdAnswer(files, device);
    doubts.push(...unknown);
    return settings(line, 'networkd');
  });
  const byManager = paths.flatMap((path) =>
    dispatcherLines(files, path).flatMap((line) => settings(line, 'networkmanager')),
  );
  const byTuned = paths.flatMap((path) => settings(tunedLine(files, path), 'tuned'));
  const lines = [...bySysctl, ...byNetworkd, ...byManager, ...byTuned];
  return { lines, unknown: [...files.unreadable, ...doubts] };
}

/** The lines alone. */
export function findPersisted(keys: readonly string[], root?: string): PersistedSetting[] {
  return [...findPersistence(keys, root).lines];
}

/** The line that a writer took the value of a key from; undefined where its command line does not tell. */
export function findSource(
  writer: Writer,
  key: string,
  value: number,
  root?: string,
): PersistedSetting | undefined {
  return lineReadBy(writer, canonical(key), value, new Files(root));
}

/** The value that a line gives to the setting. */
export function givenBy({ by, value }: PersistedSetting): string {
  return by === 'networkd' ? (NETWORKD_VALUES[value] ?? value) : value;
}

function settings(line: Line | undefined, by: Persisted['by']): PersistedSetting[] {
  if (line === undefined) return [];
  const { file, line: number, key, value } = line;
  return [{ file, line: number, key, value, by: by === 'sysctl' && isCiliums(file) ? 'cilium' : by }];
}

/** tools/sysctlfix of Cilium writes it, to keep other files from switching the check on for its devices. */
function isCiliums(file: string): boolean {
  return file === '/etc/sysctl.d/99-zzz-override_cilium.conf';
}
