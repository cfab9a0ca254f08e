import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fetchKubernetesTools } from '../../scripts/lib/kubernetes-tools.mjs';

const { kubectl } = await fetchKubernetesTools();

describe('kubectl', () => {
  // npm installs programs as links.
  const folder = mkdtempSync(join(tmpdir(), 'rpfplugin-'));
  const plugin = join(folder, 'kubectl-rpftrace');
  symlinkSync(resolve(import.meta.dirname, '../../bin/kubectl-rpftrace'), plugin);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('lists the plugin, and has nothing against it', () => {
    expect(run('plugin', 'list')).toEqual({
      status: 0,
      stdout: `The following compatible plugins are available:\n\n${plugin}\n`,
      stderr: '',
    });
  });

  it('shows its help, and that of what it runs', () => {
    const { status, stdout } = run('rpftrace', '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: kubectl rpftrace POD\[:PORT\] \[options\]\n/);
    expect(stdout).toContain('\nUsage: rpftrace attach [options] [place...]\n');
  });

  it('ends as it ends', () => {
    const { status, stderr } = run('rpftrace', 'db-0', '-n');
    expect([status, stderr]).toEqual([2, expect.stringContaining('-n needs a value [E_USAGE]')]);
  });

  function run(...words: string[]) {
    const env = { PATH: `${folder}:${dirname(process.execPath)}`, KUBECONFIG: '/dev/null' };
    const { status, stdout, stderr } = spawnSync(kubectl, words, { encoding: 'utf8', env, timeout: 20_000 });
    return { status, stdout, stderr };
  }
});
