import { readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { TracerError } from '../errors.js';
import { entriesOf, ifThere } from '../if-there.js';
import type { NativeAddon } from '../native.js';
import { printable } from '../printable.js';
import { didYouMean } from '../suggest.js';

/** A network namespace that exists now. */
export interface Netns {
  /** Inode number. */
  readonly inum: number;
  /** A file that stands for it. */
  readonly path: string;
}

/**
 * Finds a network namespace by its inode number, by a path (/proc/PID/ns/net, /run/netns/NAME) or by a name in /run/netns.
 * Throws E_UNKNOWN_NETNS.
 */
export function findNetns(addon: NativeAddon, spec: string): Netns {
  if (/^\d+$/.test(spec)) return findByInum(addon, Number(spec));
  const path = spec.includes('/') ? spec : `${NAMED}/${spec}`;
  const inum = inumOf(path);
  if (inum === undefined) throw unknown(spec, path);
  return { inum, path };
}

/** Names of the devices in a network namespace; undefined when it cannot be entered. */
export function devicesIn(addon: NativeAddon, netns: Netns): string[] | undefined {
  const inside = addon.netnsCounters().find((counter) => counter.netns === netns.inum && counter.pid > 0);
  try {
    if (inside) return parseDevices(readFileSync(`/proc/${inside.pid}/net/dev`, 'utf8'));
    // Loaded here and not with this file: hardly ever needed, and it would cost each start some milliseconds.
    const { execFileSync } = process.getBuiltinModule('node:child_process');
    return parseDevices(
      execFileSync('nsenter', [`--net=${netns.path}`, 'cat', '/proc/net/dev'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: ENTER_TIMEOUT_MS,
      }),
    );
  } catch {
    return undefined;
  }
}

/** Names of the devices in this process's own network namespace. */
export function ownDevices(): string[] {
  return parseDevices(readFileSync('/proc/self/net/dev', 'utf8'));
}

function findByInum(addon: NativeAddon, inum: number): Netns {
  const found = addon.netnsCounters().find((counter) => counter.netns === inum);
  if (found) return { inum, path: found.path };
  throw new TracerError(
    'E_UNKNOWN_NETNS',
    `no process and no file in ${NAMED} is of network namespace ${inum}`,
  );
}

/** Undefined when the file is none of a network namespace. */
function inumOf(path: string): number | undefined {
  return ifThere(() => {
    if (statfsSync(path).type !== NSFS_MAGIC || isOtherKind(path)) return undefined;
    return statSync(path).ino;
  });
}

/** The links in /proc say what kind of namespace they stand for. A bind mount does not. */
function isOtherKind(path: string): boolean {
  const link = ifThere(() => readlinkSync(path));
  return link !== undefined && !link.startsWith('net:');
}

function unknown(spec: string, path: string): TracerError {
  const hint = spec.includes('/') ? '' : didYouMean(spec, entriesOf(NAMED));
  return new TracerError('E_UNKNOWN_NETNS', `${printable(path)} is not a network namespace${hint}`);
}

/** /proc/net/dev: two lines of titles, then "  name: numbers". */
function parseDevices(text: string): string[] {
  const lines = text.trimEnd().split('\n').slice(2);
  return lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim());
}

const NAMED = '/run/netns';
/** include/uapi/linux/magic.h */
const NSFS_MAGIC = 0x6e736673;
const ENTER_TIMEOUT_MS = 2000;
