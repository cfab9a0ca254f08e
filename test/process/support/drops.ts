import { execFileSync, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './program.js';

const sender = join(root, 'build', 'Release', 'rpftrace-send');

/**
 * A network namespace whose kernel refuses what it receives on `dropin`: the route back to 203.0.113.0/24 is not there, and
 * rp_filter is strict. Frames that leave by `dropout` come in on `dropin`.
 */
export class DropSource {
  readonly name: string;
  readonly path: string;
  readonly device = 'dropin';

  constructor() {
    DropSource.#made += 1;
    this.name = `rpfproc${process.pid}n${DropSource.#made}`;
    this.path = `/run/netns/${this.name}`;
    ip('netns', 'add', this.name);
    this.#inside('ip', 'link', 'add', 'dropout', 'type', 'veth', 'peer', 'name', 'dropin');
    this.#inside('sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv4.conf.all.rp_filter=1');
    this.#inside('ip', 'link', 'set', 'dropin', 'address', mac);
    this.#inside('ip', 'address', 'add', '192.0.2.1/24', 'dev', 'dropin');
    this.#inside('ip', 'link', 'set', 'dropin', 'up');
    this.#inside('ip', 'link', 'set', 'dropout', 'up');
  }

  static #made = 0;

  get inode(): number {
    return statSync(this.path).ino;
  }

  /** Makes the kernel drop `count` packets; resolves when it has. `rate` is per second, by default as fast as possible. */
  async drop(count: number, options: { rate?: number; flows?: number } = {}): Promise<void> {
    const flood = new Flood(this, count, options);
    await flood.done;
  }

  /** Starts dropping and returns at once. */
  flood(count: number, options: { rate?: number; flows?: number } = {}): Flood {
    return new Flood(this, count, options);
  }

  /** Sets something below /proc/sys, from a shell. */
  write(setting: string, value: string): void {
    this.#inside('sh', '-c', `echo ${value} > /proc/sys/${setting}`);
  }

  /** TcpExt IPReversePathFilter: what the kernel itself has counted. */
  get counter(): number {
    const text = execFileSync(
      'ip',
      ['netns', 'exec', this.name, 'nstat', '-asz', 'TcpExtIPReversePathFilter'],
      {
        encoding: 'utf8',
      },
    );
    return Number(/IPReversePathFilter\s+(\d+)/.exec(text)?.[1]);
  }

  remove(): void {
    if (existsSync(this.path)) ip('netns', 'delete', this.name);
  }

  #inside(...command: string[]): void {
    ip('netns', 'exec', this.name, ...command);
  }
}

export class Flood {
  readonly done: Promise<void>;
  readonly #stop: () => void;

  constructor(source: DropSource, count: number, { rate, flows = 1 }: { rate?: number; flows?: number }) {
    const place = ['--netns', source.path, '--device', 'dropout', '--dst-mac', mac];
    const packet = [
      '--src',
      '203.0.113.9',
      '--dst',
      '192.0.2.1',
      '--flows',
      String(flows),
      '--count',
      String(count),
    ];
    const speed = rate === undefined ? [] : ['--rate', String(rate)];
    const child = spawn(sender, ['udp', ...place, ...packet, ...speed], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#stop = () => child.kill('SIGTERM');
    this.done = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        if (code === 0 || signal === 'SIGTERM') resolve();
        else reject(new Error(`the sender ended with ${code ?? signal}`));
      });
    });
  }

  async stop(): Promise<void> {
    this.#stop();
    await this.done;
  }
}

const mac = '02:00:00:00:00:01';

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
