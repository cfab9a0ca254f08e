import { readdirSync, readFileSync, watch } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { CASES } from '../../src/lab/cases.js';
import { Lab } from '../../src/lab/lab.js';
import { run } from '../../src/lab/process.js';
import { asNobody } from '../process/support/privileges.js';
import { type Ended, Program, rpftrace } from '../process/support/program.js';

const lab = new Lab(`rpfkcli${process.pid}`);

afterEach(() => lab.down());

async function rpftraceLab(...words: string[]): Promise<Ended> {
  return await rpftrace(['lab', ...words, '--name', lab.name]);
}

describe('rpftrace lab up and down', () => {
  it('build it and remove it, leaving nothing', async () => {
    const up = await rpftraceLab('up');
    expect(up).toMatchObject({ code: 0, stderr: '' });
    expect(namespaces()).toEqual(['node', 'pod', 'pod2', 'world']);

    expect(await rpftraceLab('down')).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(namespaces()).toEqual([]);
  });

  it('can be done twice', async () => {
    await rpftraceLab('up');
    expect(await rpftraceLab('up')).toMatchObject({ code: 0, stderr: '' });
    expect(namespaces()).toEqual(['node', 'pod', 'pod2', 'world']);

    await rpftraceLab('down');
    expect(await rpftraceLab('down')).toMatchObject({ code: 0, stderr: '' });
  });

  it('repair a lab that is half there', async () => {
    await run('ip', ['netns', 'add', lab.netns('pod')]);
    expect(await rpftraceLab('up')).toMatchObject({ code: 0, stderr: '' });
    await run('ip', ['netns', 'delete', lab.netns('node')]);
    expect(await rpftraceLab('down')).toMatchObject({ code: 0, stderr: '' });
    expect(namespaces()).toEqual([]);
  });

  it('change nothing of the host', async () => {
    const before = await host();
    await rpftraceLab('up');
    await rpftraceLab('drop', 'strict');
    expect(await host()).toEqual(before);
  });

  it('take the own network namespace for the node when that is asked for', async () => {
    const script = `
      import { statSync } from 'node:fs';
      import { Lab } from ${JSON.stringify(new URL('../../dist/lab/lab.js', import.meta.url).href)};
      const own = await new Lab(${JSON.stringify(lab.name)}, { node: 'own' }).up();
      const isOwn = own.inode('node') === statSync('/proc/self/ns/net').ino;
      console.log(isOwn, own.isUp);
      await own.down();`;
    const node = [process.execPath, '--input-type=module', '-e', script];
    const output = await run('unshare', [
      '--net',
      'sh',
      '-c',
      '"$@"; ls /sys/class/net /proc/sys/net/ipv4/conf',
      'sh',
      ...node,
    ]);
    expect(output).toMatch(/^true true$/m);
    expect(output).toContain('cilium_host');
    expect(namespaces()).toEqual([]);
  });

  it('leave nothing when they are interrupted', async () => {
    const first = nextNamespace();
    const up = new Program(['lab', 'up', '--name', lab.name]);
    await first;
    const { code, signal } = await up.stop('SIGTERM');

    // It may have been done already.
    const left = code === 0 ? ['node', 'pod', 'pod2', 'world'] : [];
    expect({ code, signal, left: namespaces() }).toEqual({
      code,
      signal: code === 0 ? null : 'SIGTERM',
      left,
    });
  });

  it('need root, and say so', async () => {
    const { code, stderr } = await rpftrace(['lab', 'up', '--name', lab.name], asNobody());

    expect(code).toBe(3);
    expect(stderr).toContain('needs root');
    expect(namespaces()).toEqual([]);
  });

  it('refuse a name that could be anything else', async () => {
    const { code, stderr } = await rpftrace(['lab', 'up', '--name', '../etc']);

    expect(code).toBe(2);
    expect(stderr).toContain("'../etc' is no name for a lab");
  });
});

describe('rpftrace lab drop', () => {
  it('provokes a case and says what the kernel must report', async () => {
    await lab.up();
    const { code, stdout } = await rpftraceLab('drop', 'strict', '--count', '3');

    expect(code).toBe(0);
    expect(stdout).toContain('3 x IP_RPFILTER on node/lxcabcd, udp 10.244.3.136:40000 > 203.0.113.9:9');
    const netstat = await lab.inside('node', 'cat /proc/net/netstat /proc/sys/net/ipv4/conf/all/rp_filter');
    expect(netstat.trim().split('\n').at(-1)).toBe('0');
  });

  it('does not know a case, and says which it may be', async () => {
    const { code, stdout, stderr } = await rpftraceLab('drop', 'lose-unnumbered');

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("there is no case 'lose-unnumbered'; did you mean loose-unnumbered");
  });

  it('needs the lab', async () => {
    const { code, stderr } = await rpftraceLab('drop', 'strict');

    expect(code).toBe(1);
    expect(stderr).toContain('is not up');
    expect(stderr).toContain('rpftrace lab up');
  });

  it('lists the cases', async () => {
    const { stdout } = await rpftrace(['lab', 'drop', '--help']);

    expect(CASES.filter(({ name, about }) => !stdout.includes(name) || !stdout.includes(about))).toEqual([]);
  });

  it('takes no number of packets but a whole one', async () => {
    expect((await rpftraceLab('drop', 'strict', '--count', '0')).code).toBe(2);
    expect((await rpftraceLab('drop', 'strict', '--count', 'many')).code).toBe(2);
  });
});

describe('rpftrace lab run', () => {
  it('provokes every case and finds each as expected', async () => {
    const { code, stdout, stderr } = await rpftraceLab('run');

    expect(stdout.split('\n').filter((line) => /^not ok|DIFFERS/.test(line))).toEqual([]);
    expect(verdicts(stdout)).toHaveLength(CASES.length);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(namespaces()).toEqual([]);
  });

  it('provokes only the cases that are named, in any order', async () => {
    const { code, stdout } = await rpftraceLab('run', 'mark', 'strict', 'mark', 'off');

    expect(code).toBe(0);
    expect(verdicts(stdout)).toEqual(['ok mark', 'ok strict', 'ok mark', 'ok off']);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('leaves nothing when %s ends it', async (signal) => {
    const running = new Program(['lab', 'run', '--name', lab.name]);
    await running.until(({ stdout }) => stdout.includes('ok strict'));
    const ended = await running.stop(signal);

    expect(ended).toMatchObject({ code: null, signal });
    expect(namespaces()).toEqual([]);
  });

  it('leaves nothing when nobody reads any more', async () => {
    const running = new Program(['lab', 'run', '--name', lab.name]);
    await running.until(({ stdout }) => stdout.includes('ok strict'));
    running.child.stdout?.destroy();
    await running.exited;

    expect(namespaces()).toEqual([]);
  });
});

/** The places of the lab that are there. */
function namespaces(): string[] {
  return readdirSync('/run/netns')
    .filter((name) => name.startsWith(`${lab.name}-`))
    .map((name) => name.slice(lab.name.length + 1))
    .sort();
}

/** Resolves when the first network namespace of the lab is there. */
function nextNamespace(): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch('/run/netns', (_type, name) => {
      if (!name?.startsWith(lab.name)) return;
      watcher.close();
      resolve();
    });
  });
}

/** What the lab must not touch. */
async function host(): Promise<Record<string, string>> {
  const commands = ['-brief address', '-4 route show table all', 'rule'];
  const shown = commands.map(async (command) => [command, await run('ip', command.split(' '))] as const);
  const sysctls = ['all', 'default', 'lo'].flatMap((scope) =>
    readdirSync(`/proc/sys/net/ipv4/conf/${scope}`).map((name) => `/proc/sys/net/ipv4/conf/${scope}/${name}`),
  );
  return {
    ...Object.fromEntries(await Promise.all(shown)),
    ...Object.fromEntries(sysctls.map((path) => [path, readFileSync(path, 'utf8')])),
    forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  };
}

function verdicts(stdout: string): string[] {
  return stdout.split('\n').flatMap((line) => /^((?:not )?ok|skipped) [a-z0-9-]+/.exec(line)?.[0] ?? []);
}
