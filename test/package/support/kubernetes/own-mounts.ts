import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The mounts of a machine that is a node and nothing else: /run, /var/lib and /var/log are its own, and nothing that is mounted there is
 * seen elsewhere. They are gone with the last process in them.
 */
export class OwnMounts {
  /** Words that lead into it. */
  readonly enter: readonly string[];
  /** Its /run, as seen from outside. */
  readonly run: string;
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess, folder: string) {
    this.#keeper = keeper;
    this.enter = ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`];
    this.run = join(folder, 'run');
  }

  static async make(folder: string): Promise<OwnMounts> {
    const binds = [...foldersIn(folder), ...sysctlsIn(folder)];
    const script = [
      ...binds.map(([from, to]) => `mount --bind ${from} ${to}`),
      // As systemd has it: what is mounted later is to be seen in containers that ask for that.
      'mount --make-rshared /',
      'echo made',
      'exec cat',
    ].join('\n');
    const words = ['--mount', '--propagation', 'private', 'sh', '-ec', script];
    const keeper = spawn('unshare', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    // Its standard input ends with this process, whatever ends it.
    await Promise.race([once(keeper.stdout, 'data'), failed(keeper)]);
    return new OwnMounts(keeper, folder);
  }

  async stop(): Promise<void> {
    if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) return;
    const ended = once(this.#keeper, 'exit');
    this.#keeper.stdin?.end();
    await ended;
  }
}

type Bind = readonly [from: string, to: string];

function foldersIn(folder: string): Bind[] {
  return ['/run', '/var/lib', '/var/log'].map((path) => {
    const own = join(folder, path);
    mkdirSync(own, { recursive: true });
    return [own, path];
  });
}

/** The kubelet sets these for the whole machine, unless they are what it wants. Here they seem to be. */
function sysctlsIn(folder: string): Bind[] {
  mkdirSync(join(folder, 'sysctl'), { recursive: true });
  return Object.entries(WANTED).map(([path, value]) => {
    const file = join(folder, 'sysctl', path.replaceAll('/', '.'));
    writeFileSync(file, `${value}\n`);
    return [file, `/proc/sys/${path}`];
  });
}

/** pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables() */
const WANTED = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

async function failed(keeper: ChildProcess): Promise<never> {
  const [code] = await once(keeper, 'exit');
  throw new Error(`unshare ended with ${code}`);
}
