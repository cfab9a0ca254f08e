import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { IncidentEvent, TraceEvent } from '../../src/events.js';
import { run } from '../../src/lab/process.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { DropSource } from './support/drops.js';
import { asNobody } from './support/privileges.js';
import { Program, type RunOptions } from './support/program.js';

const source = new DropSource();
afterAll(() => source.remove());

const ALL = 'net.ipv4.conf.all.rp_filter';

it('the sentence ends with the line that will set it again', async () => {
  const incident = await incidentWith(settingsFolder());
  expect(incident.persisted).toEqual([
    { file: '/etc/sysctl.d/50-hardening.conf', line: 3, key: ALL, value: '1', by: 'sysctl', at_boot: true },
  ]);
  expect(incident.persisted_unknown).toBeUndefined();
  expect(incident.summary).toMatch(
    /set net\.ipv4\.conf\.all\.rp_filter 0 -> 1; .*; set it back with: sysctl -w net\.ipv4\.conf\.all\.rp_filter=0; \/etc\/sysctl\.d\/50-hardening\.conf:3 will set it again\.$/,
  );
});

it('files that cannot be read are told, not taken for such as are not there', async () => {
  const folder = settingsFolder();
  chmodSync(join(folder, '50-hardening.conf'), 0o600);
  const incident = await incidentWith(folder, asNobody('bpf', 'perfmon'));
  expect(incident.persisted).toBeUndefined();
  expect(incident.persisted_unknown).toContain('/etc/sysctl.d/50-hardening.conf: permission denied');
  expect(incident.fix).toEqual([`sysctl -w ${ALL}=0`]);
});

function settingsFolder(): string {
  const folder = temporaryDirectory();
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, '50-hardening.conf'), `# CIS 3.3.7\n\n${ALL} = 1\n`);
  return folder;
}

/** Traces the network namespace that rpftrace itself is in, where this folder is /etc/sysctl.d, while all.rp_filter is set to 1. */
async function incidentWith(folder: string, options: RunOptions = {}): Promise<IncidentEvent> {
  await inSource(`sysctl -qw ${ALL}=0`);
  const { under = [], ...others } = options;
  const script = 'mount --bind "$1" /etc/sysctl.d; shift; exec "$@"';
  const place = ['nsenter', `--net=${source.path}`, 'unshare', '--mount', 'sh', '-ec', script, 'sh', folder];
  const trace = new Program(['trace', '-o', 'ndjson', '--netns', String(source.inode)], {
    ...others,
    under: [...place, ...under],
  });
  try {
    await trace.until(({ stdout }) => stdout.includes('"kind":"start"'));
    await inSource(`sysctl -qw ${ALL}=1`);
    await source.drop(10);
    await trace.until(({ events }) => events.some(isIncident));
    return trace.events.find(isIncident) as IncidentEvent;
  } finally {
    await trace.stop();
  }
}

function isIncident(event: TraceEvent): boolean {
  return event.kind === 'incident';
}

async function inSource(script: string): Promise<void> {
  await run('nsenter', [`--net=${source.path}`, 'sh', '-ec', script]);
}
