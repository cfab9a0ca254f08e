import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, program, root } from './program.js';

export interface ContainerOptions {
  /** What the container's process gets: CAP_BPF, ... */
  readonly capabilities: readonly string[];
  /** A profile in the words of the OCI runtime specification; none when left out. */
  readonly seccomp?: string;
  /** Folders of this machine that it does not have. */
  readonly without?: readonly string[];
  /** As runc takes them, after the folders of this machine. */
  readonly mounts?: readonly object[];
  readonly isReadOnly?: boolean;
  /** Words before runc. */
  readonly under?: readonly string[];
}

/**
 * A container as runc starts it: capabilities, seccomp profile and no_new_privs as in a pod, the files, the network and the
 * processes of this machine, as with hostNetwork and hostPID. It is gone when its program has ended.
 */
export class Container implements Disposable {
  readonly #folder: string;
  readonly #options: ContainerOptions;

  constructor(options: ContainerOptions) {
    this.#folder = mkdtempSync(join(tmpdir(), 'rpfrunc-'));
    this.#options = options;
    mkdirSync(join(this.#folder, 'rootfs'));
  }

  rpftrace(...args: string[]): Program {
    return this.run(program, ...args);
  }

  run(...command: string[]): Program {
    const bundle = mkdtempSync(join(this.#folder, 'bundle-'));
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(this.#configuration(command)));
    const { under = [] } = this.#options;
    const runc = [...under, 'runc', '--root', join(this.#folder, 'state'), 'run', '--bundle', bundle];
    return new Program([], { under: runc, program: `rpf-${process.pid}-${++started}` });
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configuration(args: readonly string[]): object {
    const { capabilities: all, seccomp, without = [], mounts = [], isReadOnly = false } = this.#options;
    const shared = folders().filter((name) => !without.includes(name));
    return {
      ociVersion: '1.0.2',
      process: {
        args,
        cwd: root,
        env: [`PATH=${process.env.PATH}`],
        user: { uid: 0, gid: 0 },
        capabilities: { bounding: all, effective: all, permitted: all },
        noNewPrivileges: true,
      },
      root: { path: join(this.#folder, 'rootfs'), readonly: isReadOnly },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...shared.map(bindMount), ...mounts],
      linux: {
        namespaces: [{ type: 'mount' }],
        seccomp: seccomp === undefined ? undefined : JSON.parse(readFileSync(seccomp, 'utf8')),
      },
    };
  }
}

let started = 0;

/** All but /proc, which runc mounts itself. */
function folders(): string[] {
  return readdirSync('/').filter((name) => name !== 'proc' && statSync(`/${name}`).isDirectory());
}

function bindMount(name: string): object {
  return { destination: `/${name}`, type: 'none', source: `/${name}`, options: ['rbind', 'rw'] };
}
