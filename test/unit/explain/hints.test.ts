import { mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findHints } from '../../../src/explain/hints.js';
import { ALL, useRoot } from './persist/root.js';

const root = useRoot();
const TIME = '2026-11-22T09:40:11.000000000Z';

it('are the file that sets this very value, and those who read it', () => {
  root.write('etc/sysctl.d/50-hardening.conf', `# CIS\n\n${ALL} = 1\n`);
  utimesSync(join(root.path, 'etc/sysctl.d/50-hardening.conf'), new Date(TIME), new Date(TIME));
  mkdirSync(join(root.path, 'run/systemd/units'), { recursive: true });
  symlinkSync('0123', join(root.path, 'run/systemd/units/invocation:systemd-sysctl.service'));
  root.write('etc/tuned/active_profile', 'node\n');
  root.write('etc/tuned/node/tuned.conf', '[sysctl]\nvm.swappiness=1\n');
  root.write('proc/stat', 'cpu 1 2\nbtime 1795340000\n');
  root.write('proc/812/comm', 'tuned\n');
  root.write(
    'proc/812/stat',
    `812 (a) b) S ${Array.from({ length: 40 }, (_, i) => (i === 18 ? 41150 : 0)).join(' ')}`,
  );
  expect(findHints(ALL, 1, root.path)).toEqual([
    { kind: 'file_written', name: '/etc/sysctl.d/50-hardening.conf:3', time: TIME },
    { kind: 'unit_started', name: 'systemd-sysctl.service', time: expect.stringMatching(/^20\d\d-/) },
    {
      kind: 'process_started',
      name: 'tuned (pid 812)',
      time: `${new Date(1_795_340_411_500).toISOString().slice(0, -1)}000000Z`,
    },
  ]);
});

it('are none where nothing sets this value', () => {
  root.write('etc/sysctl.d/50-hardening.conf', `${ALL} = 2\n`);
  expect(findHints(ALL, 1, root.path)).toEqual([]);
});
