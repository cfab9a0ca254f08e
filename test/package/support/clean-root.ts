import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// @ts-expect-error plain JavaScript, as all scripts
import { archive } from '../../../scripts/lib/apt.mjs';
// @ts-expect-error plain JavaScript, as all scripts
import { cached } from '../../../scripts/lib/cache.mjs';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A Debian that has what a machine with Node has, and no compiler. A copy of its own, removed when disposed of. */
export class CleanRoot implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(release: string, { node = true } = {}): Promise<CleanRoot> {
    const base: string = await cached(join('clean-roots', release), (made: string) => {
      execFileSync(
        'mmdebstrap',
        ['--quiet', '--variant=minbase', '--mode=root', `--include=${PACKAGES}`, release, made, archive()],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
    });
    const root = new CleanRoot(mkdtempSync(join(tmpdir(), `rpftrace-${release}-`)));
    execFileSync('cp', ['--archive', '--reflink=auto', `${base}/.`, root.path]);
    for (const file of ['etc/resolv.conf', 'etc/hosts', CERTIFICATES])
      cpSync(`/${file}`, join(root.path, file));
    if (node) root.#installNode();
    return root;
  }

  /** Runs a script with the kernel's file systems mounted: /proc, /sys, /dev and a /run that ends with it. */
  run(script: string): Ended {
    const mounts = ['proc', 'sys', 'dev'].map((name) => `mount --rbind /${name} ${this.path}/${name}`);
    const setUp = [
      `mount --bind ${this.path} ${this.path}`,
      ...mounts,
      `mount -t tmpfs none ${this.path}/run`,
    ].join('; ');
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-ec',
        `${setUp}; exec chroot ${this.path} sh -c "$0"`,
        script,
      ],
      { encoding: 'utf8', env: { ...registry(), PATH, HOME: '/root', LC_ALL: 'C' }, maxBuffer: 64 << 20 },
    );
    return { code: status, stdout, stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Node as it runs here, with its npm. */
  #installNode(): void {
    cpSync(process.execPath, join(this.path, 'usr/local/bin/node'), { dereference: true });
    const npm = execFileSync('npm', ['root', '--global'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    cpSync(join(npm, 'npm'), join(this.path, 'usr/local/lib/npm'), { recursive: true, dereference: true });
    for (const name of ['npm', 'npx']) {
      execFileSync('ln', ['-s', `../lib/npm/bin/${name}-cli.js`, join(this.path, 'usr/local/bin', name)]);
    }
  }
}

/** Where npm gets packages from, as it is set here. */
function registry(): Record<string, string> {
  const url = execFileSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return {
    npm_config_registry: url.trim(),
    npm_config_update_notifier: 'false',
    npm_config_cafile: `/${CERTIFICATES}`,
  };
}

/** Those that this machine trusts. */
const CERTIFICATES = 'etc/ssl/certs/ca-certificates.crt';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What the lab runs, and nothing of a compiler. */
const PACKAGES = 'iproute2,iptables,nftables,procps,util-linux,ca-certificates';
