import { existsSync, statSync } from 'node:fs';
import { ifThere } from './if-there.js';

export interface RootPlaces {
  /** Our own. */
  readonly own: string;
  /** Of the first process: of the node, where its processes are seen (hostPID) and CAP_SYS_PTRACE lets it be looked into. */
  readonly first: string;
  /** Where many DaemonSets mount the node's files. */
  readonly mounted: string;
}

/**
 * Where the files lie that the machine's settings come from: below our own root, or, in a container, below that of the node as far
 * as it can be seen. Ends in a slash.
 */
export function nodeRoot({ own, first, mounted }: RootPlaces = PLACES): string {
  const ours = identityOf(own);
  const theirs = identityOf(first);
  if (theirs === ours) return own;
  if (theirs !== undefined) return first;
  return existsSync(`${mounted}etc`) ? mounted : own;
}

const PLACES: RootPlaces = { own: '/', first: '/proc/1/root/', mounted: '/host/' };

function identityOf(folder: string): string | undefined {
  return ifThere(() => {
    const { dev, ino } = statSync(folder, { bigint: true });
    return `${dev}:${ino}`;
  });
}
