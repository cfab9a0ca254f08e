import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { DropSource } from './support/drops.js';
import { onlyWith } from './support/privileges.js';
import { emitted, program, root, rpftrace, startOf } from './support/program.js';
import { scratch, startServe } from './support/serve.js';

const folder = join(root, 'deploy', 'systemd');
const unit = readFileSync(join(folder, 'rpftrace.service'), 'utf8');
const source = new DropSource();

afterAll(() => source.remove());

describe('deploy/systemd', () => {
  test('the unit is right in the eyes of systemd', () => {
    const file = join(scratch(), 'rpftrace.service');
    writeFileSync(file, unit.replace('/usr/local/bin/rpftrace', program));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('the configuration beside it is right', async () => {
    const { code, stdout } = await rpftrace([
      'serve',
      '--config',
      join(folder, 'rpftrace.yaml'),
      '--check-config',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ history: { directory: '/var/lib/rpftrace' } });
  });

  test('its capabilities are enough for all that serve does', async () => {
    const capabilities = valuesOf('CapabilityBoundingSet').map((name) =>
      name.slice('CAP_'.length).toLowerCase(),
    );
    const serve = await startServe(
      ['--netns', source.path, '--history-dir', join(scratch(), 'history')],
      onlyWith(...capabilities),
    );
    onTestFinished(() => serve.program.kill('SIGKILL'));
    const reader = await serve.follow('/v1/events?since=1h');
    await source.drop(10);
    await reader.until(({ events }) => emitted(events) === 10);
    expect(startOf(reader.events).degraded.filter(({ missing }) => missing !== undefined)).toEqual([]);
  });

  test('it refuses no system call that deploy/seccomp.json allows', () => {
    const allowed = new Set<string>();
    for (const word of valuesOf('SystemCallFilter')) {
      const isRefused = word.startsWith('~');
      for (const name of callsOf(word.replace('~', ''))) {
        if (isRefused) allowed.delete(name);
        else allowed.add(name);
      }
    }
    const { syscalls } = JSON.parse(readFileSync(join(root, 'deploy', 'seccomp.json'), 'utf8')) as {
      syscalls: { names: string[] }[];
    };
    const needed = syscalls.flatMap(({ names }) => names);
    expect(needed).toContain('bpf');
    expect(needed.filter((name) => !allowed.has(name))).toEqual([]);
  });
});

/** What a setting is set to; a ~ before a list holds for each of its words. */
function valuesOf(setting: string): string[] {
  const lists = [...unit.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, list]) => list as string);
  return lists.flatMap((list) => {
    const sign = list.startsWith('~') ? '~' : '';
    return list
      .replace('~', '')
      .split(' ')
      .map((word) => sign + word);
  });
}

/** Of a set of systemd, or the one call itself. */
function callsOf(word: string): string[] {
  if (!word.startsWith('@')) return [word];
  const text = execFileSync('systemd-analyze', ['syscall-filter', word], { encoding: 'utf8' });
  const words = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  return words
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => (line.startsWith('@') ? callsOf(line) : [line]));
}
