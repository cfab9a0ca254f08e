import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ifThere } from '../../src/if-there.js';
import { FakeRuntime } from '../fixtures/cri-runtime.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { type Program, startTrace, stopOf } from '../process/support/program.js';
import { PODS, SERVICES } from '../support/kube-api.js';
import { eventually, kubeconfigOf, NODE, pod, startApi, TOKEN } from '../support/kubernetes.js';
import { CleanRoot } from './support/clean-root.js';

const project = resolve(import.meta.dirname, '..', '..');
const program = join(project, 'build', 'sea', `linux-${process.arch}`, 'rpftrace');
/** An old glibc and a new one. */
const releases = (process.env.RPFTRACE_RELEASES ?? 'bullseye trixie').split(' ');

beforeAll(() => {
  execFileSync(process.execPath, ['scripts/sea.mjs'], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
});

describe.each(releases)('one file, copied to a Debian without Node: %s', (release) => {
  let root: CleanRoot;
  beforeAll(async () => {
    root = await CleanRoot.make(release, { node: false });
    mkdirSync(join(root.path, 'opt/rpftrace'));
    copyFileSync(program, join(root.path, 'opt/rpftrace/rpftrace'));
  });
  afterAll(() => root?.[Symbol.dispose]());
  const rpftrace = (words: string, before = '') => root.run(`${before} exec /opt/rpftrace/rpftrace ${words}`);

  it('has none', () => {
    expect(root.run('command -v node npm').stdout).toBe('');
  });

  it('says what this kernel allows', () => {
    const { code, stdout } = rpftrace('doctor -o json');
    expect([0, 4]).toContain(code);
    expect(JSON.parse(stdout)).toMatchObject({ v: 1, tracer: { can_run: true } });
  });

  it('traces real drops, all of them, and says why', () => {
    const name = `rpfsea${process.pid}`;
    const { code, stdout, stderr } = rpftrace(`lab run --name ${name} strict local-source no-route`);
    expect(stderr + stdout).toContain('3 ok, 0 not ok');
    expect(code).toBe(0);
  });

  it('ends with the codes of the program, and with its words', () => {
    expect(rpftrace('--bogus')).toMatchObject({ code: 2, stderr: expect.stringContaining('[E_USAGE]') });
    const nobody = root.run(
      'setpriv --reuid 65534 --regid 65534 --clear-groups /opt/rpftrace/rpftrace trace',
    );
    expect(nobody).toMatchObject({ code: 3, stderr: expect.stringContaining('[E_MISSING_CAPABILITY]') });
  });

  it('leaves no file behind', () => {
    const found = root.run(
      `touch /marker; /opt/rpftrace/rpftrace lab run --name rpfsea${process.pid} strict >/dev/null
      find /run /tmp /var/tmp /opt /root -newer /marker -type f`,
    );
    expect(found.stdout).toBe('');
  });

  it('takes the first folder that programs may run from; without one it says what was tried', () => {
    const noexec = ['/dev/shm', '/run', '/tmp', '/var/tmp'].map(
      (folder) => `mount -t tmpfs -o noexec none ${folder};`,
    );
    expect(rpftrace('doctor -o json', noexec.join(' ')).code).not.toBe(3);

    const readOnly = 'mount --bind /opt /opt; mount -o remount,bind,ro /opt;';
    const { code, stderr } = rpftrace('lab run strict', [...noexec, readOnly].join(' '));
    expect(stderr).toMatch(
      /\[E_NO_PLACE\]\n {2}\/dev\/shm: .*EACCES.*\n {2}\/run: .*\n {2}\/opt\/rpftrace: .*EROFS.*\n {2}\/tmp: .*\n {2}\/var\/tmp: /,
    );
    expect(code).toBe(3);
  });

  it('does not listen to what is meant for other programs of Node', () => {
    expect(rpftrace('--version', 'export NODE_OPTIONS=--bogus;').code).toBe(0);
  });

  it('has the licences of all that is inside', () => {
    const { stdout } = rpftrace('licences');
    for (const name of ['libbpf', 'elfutils', 'zlib', 'libmnl', 'Node 24', 'zod', '@grpc/grpc-js', 'OpenSSL'])
      expect(stdout).toContain(name);
  });
});

describe('one file', () => {
  it('asks container runtime and Kubernetes: what it loads for that is inside, too', async () => {
    const runtime = new FakeRuntime(join(temporaryDirectory(), 'cri'));
    await runtime.listen();
    const api = await startApi();
    api.token = TOKEN;
    api.put(PODS, pod('db-0', '10.244.3.7'));
    const trace = await startTrace(
      ['-o', 'ndjson', '--cri-socket', runtime.socket, '--kubeconfig', kubeconfigOf(api), '--node', NODE],
      { program },
    );
    try {
      await eventually(() => expect([api.watchers(), api.watchers(SERVICES)]).toEqual([1, 1]));
      await eventually(() => expect(runtime.asked).toBeGreaterThan(2));
    } finally {
      trace.kill('SIGINT');
    }
    await trace.ended;
    runtime.close();
    expect(stopOf(trace.events).sources).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'cri', state: 'ok' }),
        expect.objectContaining({ name: 'kubernetes', state: 'ok', pods: 1 }),
      ]),
    );
  });

  it('keeps nothing anywhere when it is killed', async () => {
    const trace = await startTrace(['-o', 'ndjson'], { program });
    const copies = descriptorsOf(trace).filter((target) => target.startsWith('/dev/shm/'));
    expect(copies.length).toBeGreaterThan(0);
    trace.kill('SIGKILL');
    await trace.ended;
    expect(copies.map((target) => target.replace(' (deleted)', '')).filter(existsSync)).toEqual([]);
  });
});

function descriptorsOf({ pid }: Program): string[] {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).flatMap((name) => ifThere(() => readlinkSync(join(directory, name))) ?? []);
}
