import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const project = resolve(import.meta.dirname, '..', '..', '..');

/** A podman with images and containers of its own, which are gone when it is stopped. */
export class Podman {
  readonly #directory = mkdtempSync(join(tmpdir(), 'podman-'));

  /** With the image of an archive, as `rpftrace`. */
  static start({ archive, name }: { archive: string; name: string }): Podman {
    const podman = new Podman();
    // This machine may not be allowed to raise the limits that podman gives by default.
    const limits = 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]';
    const engine = 'cgroup_manager = "cgroupfs"\nevents_logger = "none"';
    writeFileSync(podman.#config, `[containers]\n${limits}\n[engine]\n${engine}\n`);
    podman.#runSync('load', '--input', archive);
    podman.#runSync('tag', name, 'rpftrace');
    return podman;
  }

  /** Runs a line of docs/container.md, which is for docker; resolves to what it printed. */
  async line(line: string): Promise<string> {
    const words = this.#words.map((word) => `'${word}'`).join(' ');
    const script = `docker() { podman ${words} "$@"; }\n${line}`;
    const options = { cwd: project, env: this.#env, maxBuffer: 64 << 20 };
    return (await promisify(execFile)('bash', ['-c', script], options)).stdout;
  }

  stop(): void {
    this.#runSync('rm', '--all', '--force', '--time', '5');
    this.#runSync('rmi', '--all', '--force');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #runSync(...args: string[]): void {
    execFileSync('podman', [...this.#words, ...args], {
      env: this.#env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, CONTAINERS_CONF: this.#config };
  }

  get #config(): string {
    return join(this.#directory, 'containers.conf');
  }

  get #words(): string[] {
    const folder = (name: string) => join(this.#directory, name);
    return [
      '--root',
      folder('root'),
      '--runroot',
      folder('run'),
      '--tmpdir',
      folder('tmp'),
      '--storage-driver',
      'vfs',
    ];
  }
}
