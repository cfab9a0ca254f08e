import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Observer, PodSighting } from '../../source.js';
import { allThere, type Places, place, placesOnNode } from '../paths.js';
import { PolledSource } from '../polled-source.js';
import type { Pace } from '../poller.js';
import { podOfStateFile } from './state-file.js';

export interface CiliumStateOptions {
  /** The agent's folder of endpoints; the usual one without it. */
  readonly folder?: string | undefined;
  readonly pace?: Pace | undefined;
}

/** Reads what the Cilium agent keeps on disk about its endpoints: it is there when the agent is not. */
export class CiliumStateSource extends PolledSource {
  readonly #places: Places;
  #files = new Map<string, StateFile>();

  constructor({ folder, pace = PACE }: CiliumStateOptions = {}) {
    super('cilium_state', pace);
    this.#places = folder === undefined ? placesOnNode(FOLDER) : place(folder);
  }

  protected override async look(_observer: Observer, signal: AbortSignal): Promise<boolean> {
    const [folder] = await allThere(this.#places);
    if (folder === undefined) {
      this.health.absent(`no Cilium agent keeps endpoints in ${this.#places.words}`);
      return false;
    }
    this.health.lookingAt(folder);
    const endpoints = (await readdir(folder)).filter((name) => /^\d+$/.test(name)).slice(0, MAX_ENDPOINTS);
    const files = new Map<string, StateFile>();
    let unreadable = 0;
    for (const endpoint of endpoints) {
      signal.throwIfAborted();
      const file = await this.#readEndpoint(join(folder, endpoint));
      if (file) files.set(join(folder, endpoint), file);
      if (!file || file.unreadable) unreadable++;
    }
    this.#files = files;
    const pods = [...files.values()].flatMap(({ pod }) => pod ?? []);
    const why = unreadable > 0 ? `${unreadable} of ${endpoints.length} endpoints cannot be read` : undefined;
    this.health.ok(pods.length, why);
    return await this.tell(signal, pods);
  }

  /** The first of its files that is there. One that has not changed is not read again. */
  async #readEndpoint(folder: string): Promise<StateFile | undefined> {
    for (const name of FILES) {
      const path = join(folder, name);
      const status = await stat(path).catch(() => undefined);
      if (status === undefined) continue;
      const before = this.#files.get(folder);
      if (before?.path === path && before.mtimeMs === status.mtimeMs && before.size === status.size)
        return before;
      const found = await readPod(path).catch(() => undefined);
      // What was read of a file that is being written now is still the best that is known.
      const { pod } = found ?? before ?? {};
      return { path, mtimeMs: status.mtimeMs, size: status.size, pod, unreadable: found === undefined };
    }
    return undefined;
  }
}

const FOLDER = '/var/run/cilium/state';

/** Newer versions, those before, those before 1.8. */
const FILES = ['ep_config.json', 'ep_config.h', 'lxc_config.h'];

const PACE: Pace = { minMs: 1000, maxMs: 30_000 };

const MAX_ENDPOINTS = 10_000;

/** With the DNS history of a busy pod some 100 KiB. */
const MAX_BYTES = 4 << 20;

interface StateFile {
  readonly path: string;
  readonly mtimeMs: number;
  readonly size: number;
  readonly pod: PodSighting | undefined;
  readonly unreadable: boolean;
}

async function readPod(path: string): Promise<Pick<StateFile, 'pod'>> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES >> 20} MiB`);
  return { pod: podOfStateFile(await file.readFile('utf8')) };
}
