import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { nodeRoot } from '../../node-root.js';
import { below } from './below.js';

/** A line of a file that sets a setting. */
export interface Line {
  readonly file: string;
  readonly line: number;
  /** As written there; it may be a pattern. */
  readonly key: string;
  readonly value: string;
}

/** The files of a machine as they are now: each is read once. What is there and cannot be read is remembered, with why. */
export class Files {
  readonly #root: string;
  readonly #unreadable = new Map<string, string>();
  readonly #lines = new Map<string, string[]>();
  readonly #names = new Map<string, string[]>();

  /** `root` ends in a slash; tests have their own. */
  constructor(root = nodeRoot()) {
    this.#root = root;
  }

  /** "/etc/sysctl.d/50-x.conf: permission denied", ... */
  get unreadable(): string[] {
    return [...this.#unreadable].map(([path, why]) => `${path}: ${why}`);
  }

  /** Empty where there is no such file. */
  lines(path: string): string[] {
    return remembered(this.#lines, path, () => this.#readLines(path));
  }

  /** Names in a folder, sorted as systemd and sysctl sort them; empty where there is none. */
  names(folder: string): string[] {
    return remembered(this.#names, folder, () =>
      (this.#attempt(folder, (real) => readdirSync(real)) ?? []).sort(),
    );
  }

  isExecutable(path: string): boolean {
    return this.#attempt(path, (real) => (statSync(real).mode & 0o111) !== 0) ?? false;
  }

  isSame(one: string, other: string): boolean {
    return this.#realPath(one) === this.#realPath(other);
  }

  #readLines(path: string): string[] {
    const text = this.#attempt(path, (real) => {
      const stat = statSync(real);
      if (!stat.isFile()) return ''; // a link to /dev/null masks others
      if (stat.size > MAX_BYTES) throw new Error(`larger than ${MAX_BYTES} bytes`);
      return readFileSync(real, 'utf8');
    });
    return text ? text.split('\n') : [];
  }

  #realPath(path: string): string {
    return this.#attempt(path, (real) => realpathSync(real)) ?? path;
  }

  #attempt<T>(path: string, work: (real: string) => T): T | undefined {
    try {
      return work(below(this.#root, path));
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (!NOT_THERE.has(code)) this.#unreadable.set(path, WORDS[code] ?? (code || message));
      return undefined;
    }
  }
}

function remembered(known: Map<string, string[]>, path: string, read: () => string[]): string[] {
  const before = known.get(path);
  if (before) return before;
  const now = read();
  known.set(path, now);
  return now;
}

const NOT_THERE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR']);
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'its links lead in a circle',
};
/** What people write by hand is far smaller. */
const MAX_BYTES = 1 << 20;
