import { existsSync, statSync } from 'node:fs';
import { TracerError } from '../errors.js';
import { attempt, type Result, run } from './process.js';
import {
  ADDRESS_LINES,
  linkLines,
  PLACES,
  type Place,
  QUIET_SYSCTLS,
  REDIRECT_LINES,
  ROUTER_SYSCTLS,
} from './topology.js';

export const DEFAULT_NAME = 'rpftrace-lab';

export interface LabOptions {
  /**
   * `own`: the network namespace of this process becomes the node, so that the system's own services act on it. Its devices,
   * routes and settings stay what the lab made of them: for machines that are thrown away.
   */
  readonly node?: 'new' | 'own';
}

/**
 * The incident, rebuilt in network namespaces of its own: NAME-pod, NAME-pod2, NAME-node and NAME-world. Nothing of the
 * host is changed, unless it is the node. Needs root and iproute2.
 */
export class Lab implements AsyncDisposable {
  readonly name: string;
  readonly #isNodeOwn: boolean;

  constructor(name: string = DEFAULT_NAME, { node = 'new' }: LabOptions = {}) {
    this.#isNodeOwn = node === 'own';
    if (!NAME.test(name)) {
      throw new TracerError('E_USAGE', `'${name}' is no name for a lab`, {
        remedies: ['use letters, digits, "-" and "_", at most 32, a letter or digit first'],
      });
    }
    this.name = name;
  }

  /** The name of a place's network namespace, as `ip netns` shows it. */
  netns(place: Place): string {
    return `${this.name}-${place}`;
  }

  path(place: Place): string {
    return `/run/netns/${this.netns(place)}`;
  }

  /** Inode number of a place's network namespace: what the tracer reports. */
  inode(place: Place): number {
    return statSync(this.path(place)).ino;
  }

  /** The place that an inode number stands for. */
  placeOf(inode: number | undefined): Place | undefined {
    return PLACES.find((place) => existsSync(this.path(place)) && this.inode(place) === inode);
  }

  get isUp(): boolean {
    return PLACES.every((place) => existsSync(this.path(place)));
  }

  /** Builds it anew, whatever is there, and returns it. Leaves nothing when it fails or is aborted. */
  async up(signal?: AbortSignal): Promise<this> {
    needRoot();
    await this.down();
    try {
      await this.#build(signal);
      return this;
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  /** Removes all of it that is there. Idempotent. */
  async down(): Promise<void> {
    const there = PLACES.filter((place) => existsSync(this.path(place)));
    if (there.length === 0) return;
    needRoot();
    await batch(
      'ip',
      there.map((place) => `netns delete ${this.netns(place)}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  /** Runs a shell script in a place; it stops at the first command that fails. Returns what it printed. Throws E_LAB. */
  async inside(place: Place, script: string, signal?: AbortSignal): Promise<string> {
    return await run('ip', this.#shell(place), { input: script, signal });
  }

  /** Like inside(), but returns how it ended. */
  async attemptInside(place: Place, script: string): Promise<Result> {
    return await attempt('ip', this.#shell(place), { input: script });
  }

  /** A line for `ip -batch`. */
  #makeLine(place: Place): string {
    const isOwn = place === 'node' && this.#isNodeOwn;
    return isOwn ? `netns attach ${this.netns(place)} ${process.pid}` : `netns add ${this.netns(place)}`;
  }

  #shell(place: Place): string[] {
    return ['netns', 'exec', this.netns(place), 'sh', '-e'];
  }

  async #build(signal: AbortSignal | undefined): Promise<void> {
    const name = (place: Place) => this.netns(place);
    const node = ['-n', name('node')];
    await batch(
      'ip',
      PLACES.map((place) => this.#makeLine(place)),
      [],
      signal,
    );
    await everywhere((place) => this.inside(place, sysctlScript(QUIET_SYSCTLS), signal));
    await batch('ip', linkLines(name), [], signal);
    await everywhere((place) => batch('ip', ADDRESS_LINES[place], ['-n', name(place)], signal));
    await this.inside('node', sysctlScript(ROUTER_SYSCTLS), signal);
    await batch('tc', REDIRECT_LINES, node, signal);
    await everywhere((place) => this.#devicesAreUp(place, signal));
  }

  /** The kernel gives a device its queue only some time after its peer came up; what is sent before is lost. */
  async #devicesAreUp(place: Place, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const links = await run('ip', ['-n', this.netns(place), '-oneline', 'link', 'show', 'up'], { signal });
      if (!/state (DOWN|LOWERLAYERDOWN)/.test(links)) return;
    }
  }
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/i;

function needRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new TracerError('E_MISSING_CAPABILITY', 'the lab needs root: it creates network namespaces', {
    remedies: ['run it as root: sudo rpftrace lab ...'],
  });
}

async function batch(
  command: 'ip' | 'tc',
  lines: readonly string[],
  args: readonly string[] = [],
  signal?: AbortSignal,
): Promise<void> {
  await run(command, [...args, '-batch', '-'], { input: `${lines.join('\n')}\n`, signal });
}

/** All that was started has ended when this throws: nothing may come up after it was taken down. */
async function everywhere(work: (place: Place) => Promise<unknown>): Promise<void> {
  const results = await Promise.allSettled(PLACES.map(work));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) throw failure.reason;
}

function sysctlScript(values: Record<string, number>): string {
  return Object.entries(values)
    .map(([path, value]) => `echo ${value} > /proc/sys/net/${path}`)
    .join('\n');
}
