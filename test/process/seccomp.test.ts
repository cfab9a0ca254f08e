import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { DropSource } from './support/drops.js';
import { emitted, parseEvents, reconciledIn, root, startOf, stopOf } from './support/program.js';
import { Container } from './support/runc.js';

const source = new DropSource();
const seccomp = join(root, 'deploy', 'seccomp.json');
/** Of docs/privileges.md. */
const capabilities = [
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_NET_ADMIN',
  'CAP_SYS_ADMIN',
  'CAP_SYS_PTRACE',
  'CAP_DAC_READ_SEARCH',
];

afterAll(() => source.remove());

describe('in a container with the documented capabilities and deploy/seccomp.json', () => {
  it('drops are traced and counted, in another network namespace, and who writes a setting is named', async () => {
    using container = new Container({ capabilities, seccomp });
    const trace = container.rpftrace('trace', '-o', 'ndjson', '--netns', source.path);
    await trace.until(({ stdout }) => stdout.includes('"kind":"start"'));
    await source.drop(100);
    source.write('net/ipv4/conf/dropin/log_martians', '1');
    await trace.until(({ events }) => events.some(({ kind }) => kind === 'sysctl_change'));
    const { code, stdout, stderr } = await trace.stop();
    const events = parseEvents(stdout);
    const [change] = events.filter((event) => event.kind === 'sysctl_change');

    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(startOf(events).degraded.filter(({ missing }) => missing !== undefined)).toEqual([]);
    expect(emitted(events)).toBe(100);
    expect(reconciledIn(stopOf(events), source)).toBe(true);
    expect(change?.writer).toMatchObject({ comm: 'sh' });
  });

  it('serve keeps its socket and its history', async () => {
    using container = new Container({ capabilities, seccomp });
    const folder = mkdtempSync(join(tmpdir(), 'rpfserve-'));
    const socket = join(folder, 'run', 'rpftrace.sock');
    const history = join(folder, 'history');
    const options = ['--listen', `unix:${socket}`, '--history-dir', history, '--netns', source.path];
    const serve = container.rpftrace('serve', ...options);
    await serve.until(({ stderr }) => stderr.includes('listening on'));
    await source.drop(100);
    await vi.waitFor(() => expect(dropsIn(history)).toBe(100), { timeout: 10_000 });
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(await serve.stop()).toMatchObject({ code: 0 });
    rmSync(folder, { recursive: true });
  });

  it('doctor finds that the tracer can run, and that a filter is in force', async () => {
    using container = new Container({ capabilities, seccomp });
    const { stdout, stderr } = await container.rpftrace('doctor', '-o', 'json').ended;
    expect(stderr).toBe('');
    const report = JSON.parse(stdout);

    expect(report.tracer).toEqual({ can_run: true });
    expect(report.environment).toContainEqual(expect.objectContaining({ name: 'seccomp', value: 'filter' }));
  });

  it.each<[string, string[]]>([
    ['a mount namespace of its own', ['unshare', '--mount', 'true']],
    ['to enter namespaces of other kinds', ['nsenter', '--uts=/proc/self/ns/uts', 'true']],
    ['a mount', ['mount', '-t', 'tmpfs', 'none', '/mnt']],
    ['to look at the BPF programs of others', ['bpftool', 'prog', 'show']],
    [
      'packets as they are on the wire',
      ['python3', '-c', 'from socket import *; socket(AF_PACKET, SOCK_RAW)'],
    ],
  ])('%s is refused by the profile, and by nothing else', async (_what, command) => {
    const withRaw = [...capabilities, 'CAP_NET_RAW'];
    using confined = new Container({ capabilities: withRaw, seccomp });
    using free = new Container({ capabilities: withRaw });

    const refused = await confined.run(...command).ended;
    expect(refused.code).not.toBe(0);
    expect(refused.stderr + refused.stdout).toMatch(/not permitted|permission denied/i);
    expect(await free.run(...command).ended).toMatchObject({ code: 0 });
  });
});

it('the profile allows nothing by default', () => {
  const profile = JSON.parse(readFileSync(seccomp, 'utf8'));
  expect(profile).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO' });
});

function dropsIn(history: string): number {
  const files = readdirSync(history).filter((file) => file.endsWith('.ndjson'));
  const lines = files.map((file) => readFileSync(join(history, file), 'utf8')).join('');
  // The last line may not be whole yet.
  return emitted(parseEvents(lines.slice(0, lines.lastIndexOf('\n') + 1)));
}
