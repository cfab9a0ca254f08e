import { entriesOf, inodeOf } from '../if-there.js';

/** Where a command has to run so that it works on the drop's network namespace. */
export interface CommandPlace {
  /** The command line for a shell, its words quoted. */
  readonly command: (words: readonly string[]) => string;
  /** What a person has to do first, where no command does it. */
  readonly where?: string;
}

/**
 * How to run a command in a network namespace: as it is in our own, by `ip netns exec` where it has a name, by nsenter where
 * a process is in it. `root` is the file system's; tests have their own.
 */
export function findPlace(netns: number | undefined, ownNetns: number | undefined, root = '/'): CommandPlace {
  if (netns === undefined || netns === ownNetns) return { command: commandLine };
  const prefix = findPrefix(netns, root);
  if (prefix) return { command: (words) => commandLine([...prefix, ...words]) };
  const where = `in network namespace ${netns}, for which neither a name nor a process was found here`;
  return { command: commandLine, where };
}

function findPrefix(netns: number, root: string): string[] | undefined {
  const named = entriesOf(`${root}run/netns`).find((name) => inodeOf(`${root}run/netns/${name}`) === netns);
  if (named !== undefined) return ['ip', 'netns', 'exec', named];
  const docker = `${root}run/docker/netns`;
  const container = entriesOf(docker).find((name) => inodeOf(`${docker}/${name}`) === netns);
  if (container !== undefined) return ['nsenter', `--net=/run/docker/netns/${container}`];
  const pid = entriesOf(`${root}proc`).find(
    (name) => /^\d+$/.test(name) && inodeOf(`${root}proc/${name}/ns/net`) === netns,
  );
  return pid === undefined ? undefined : ['nsenter', `--net=/proc/${pid}/ns/net`];
}

/** Devices may be called anything that has no slash and no space. */
function commandLine(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

function quote(word: string): string {
  if (/^[\w./:=@%+,-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
