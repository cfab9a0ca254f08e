import type { Files, Line } from './files.js';

/**
 * The lines of NetworkManager's dispatcher scripts that set a key. NetworkManager itself has no setting for rp_filter, neither
 * in a connection file nor in NetworkManager.conf (before 1.16 it put strict mode to loose on its own). What it offers are
 * scripts that it runs when a connection comes or goes.
 */
export function dispatcherLines(files: Files, path: string): Line[] {
  return scripts(files).flatMap((file) =>
    files.lines(file).flatMap((text, index) => {
      const value = valueSet(text, path);
      return value === undefined ? [] : [{ file, line: index + 1, key: path.replaceAll('/', '.'), value }];
    }),
  );
}

/** NetworkManager-dispatcher(8): the folder itself and those of scripts that run before something happens; by name. */
function scripts(files: Files): string[] {
  return DISPATCHER_FOLDERS.flatMap((folder) =>
    ['', '/pre-up.d', '/pre-down.d', '/no-wait.d'].flatMap((kind) =>
      files
        .names(folder + kind)
        .map((name) => `${folder}${kind}/${name}`)
        .filter((file) => files.isExecutable(file)),
    ),
  );
}

/** "sysctl -w KEY=VALUE" or "echo VALUE > /proc/sys/PATH", as literal text. */
function valueSet(text: string, path: string): string | undefined {
  if (/^\s*#/.test(text)) return undefined;
  const dotted = escaped(path.replaceAll('/', '.'));
  const slashed = escaped(path);
  const bySysctl = new RegExp(`\\bsysctl\\b.*[\\s"'](?:${dotted}|${slashed})["']?=["']?(-?\\d+)`).exec(text);
  const byEcho = new RegExp(`\\becho\\s+["']?(-?\\d+)["']?\\s*>\\s*["']?/proc/sys/${slashed}\\b`).exec(text);
  return (bySysctl ?? byEcho)?.[1];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

const DISPATCHER_FOLDERS = ['/etc/NetworkManager/dispatcher.d', '/usr/lib/NetworkManager/dispatcher.d'];
