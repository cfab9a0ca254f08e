import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Report, report as reportSchema } from '../../src/doctor/report.js';
import { readCounters } from '../../src/lab/counters.js';
import { attempt } from '../../src/lab/process.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { useLab } from '../kernel/support/lab.js';
import { asNobody, hiding, withoutBpf } from './support/privileges.js';
import { type Ended, type RunOptions, rpftrace } from './support/program.js';

const lab = useLab();
const CONF = '/proc/sys/net/ipv4/conf';
const ALL = 'net.ipv4.conf.all.rp_filter';

describe('rpftrace doctor', () => {
  it('ends with 4 where a pod would lose packets, with 0 once its fix has been run', async () => {
    await lab.inside('node', `echo 1 > ${CONF}/all/rp_filter`);
    const sick = await doctor();
    expect(sick.code).toBe(4);
    expect(sick.stdout).toMatch(/packets of 2 of 2 pods would be dropped now$/m);
    expect(sick.stdout).toContain(ADDRESS.pod);
    const [, fix = ''] = /^ {4}fix +(.*)$/m.exec(sick.stdout) ?? [];
    expect(await attempt('sh', ['-c', fix])).toMatchObject({ code: 0 });

    const well = await doctor('--all');
    expect(well.code).toBe(0);
    expect(well.stdout).toMatch(/no packet of 2 pods would be dropped now$/m);
    expect(well.stdout).toMatch(
      /^ {2}lxcabcd \(cilium_lxc\) +10\.244\.3\.136 +to outside, node, cilium_host$/m,
    );
    expect(well.stderr).toBe('');
  });

  it('writes one object of JSON that its schema describes, with the same exit code', async () => {
    await lab.inside('node', `echo 2 > ${CONF}/all/rp_filter`);
    const ended = await doctor('-o', 'json');
    const report = parse(ended);
    await lab.inside('node', `echo 0 > ${CONF}/all/rp_filter`);

    expect(ended.code).toBe(4);
    expect(report).toMatchObject({
      exit_code: 4,
      tracer: { can_run: true },
      pods_found: 2,
      pods_dropped: 2,
      pods: [
        { device: 'lxcabcd', ip: ADDRESS.pod, would_drop: true, mode: { all: 2, unnumbered: true } },
        { device: 'lxcabce', ip: ADDRESS.pod2, would_drop: true },
      ],
    });
    for (const { state, cost } of report.features) expect(cost === undefined).toBe(state === 'available');
  });

  it('sends nothing and makes the kernel count nothing, also where rules look at the source', async () => {
    await lab.inside(
      'node',
      `echo 1 > ${CONF}/all/rp_filter; ip rule add pref 50 from 192.0.2.0/24 lookup main`,
    );
    const before = await observed();
    expect((await doctor()).code).toBe(4);
    expect(await observed()).toEqual(before);
    await lab.inside('node', `echo 0 > ${CONF}/all/rp_filter; ip rule delete pref 50`);
  });

  it.each([
    ['a file of sysctl.d', { 'etc/sysctl.d/50-x.conf': `# x\n${ALL} = 1\n` }, '/etc/sysctl.d/50-x.conf:2'],
    [
      'a pattern of a package',
      { 'usr/lib/sysctl.d/50-x.conf': 'net.ipv4.conf.*.rp_filter = 2\n' },
      '50-x.conf:1',
    ],
    ['ip_forward', { 'etc/sysctl.conf': 'net.ipv4.ip_forward=0\n' }, '/etc/sysctl.conf:1'],
    [
      'a profile of tuned',
      { 'etc/tuned/active_profile': 'mine\n', 'etc/tuned/mine/tuned.conf': `[sysctl]\n${ALL}=1\n` },
      '/etc/tuned/mine/tuned.conf:2',
    ],
  ])('foretells what %s will break, until its fix has been run', async (_what, files, place) => {
    const root = rootWith(files);
    const before = await inNode('--root', root, '-o', 'json');
    const { later } = parse(before);
    expect(before.code).toBe(0);
    expect(later).toHaveLength(1);
    expect(later[0]?.explanation).toContain(place);
    expect(later[0]?.devices).toEqual(['lxcabcd', 'lxcabce']);

    for (const fix of later[0]?.fix ?? [])
      expect(await attempt('sh', ['-c', fix])).toMatchObject({ code: 0 });
    expect(parse(await inNode('--root', root, '-o', 'json')).later).toEqual([]);
  });

  it('foretells what the default will do to new devices', async () => {
    await lab.inside(
      'node',
      `echo 1 > ${CONF}/default/rp_filter; echo 0 > ${CONF}/lxcabcd/rp_filter; echo 0 > ${CONF}/lxcabce/rp_filter`,
    );
    const { later } = parse(await doctor('-o', 'json'));
    expect(later).toMatchObject([{ when: 'new_device', key: 'net.ipv4.conf.default.rp_filter', value: '1' }]);
    expect(await attempt('sh', ['-c', later[0]?.fix?.[0] ?? 'false'])).toMatchObject({ code: 0 });
    expect(parse(await doctor('-o', 'json')).later).toEqual([]);
  });

  it('works for nobody as far as it can, says what it could not, and ends with 3', async () => {
    const ended = await rpftrace(['doctor'], asNobody());
    expect(ended.code).toBe(3);
    expect(ended.stdout).toContain('the tracer cannot run here');
    expect(ended.stdout).toContain('[E_MISSING_CAPABILITY]');
    expect(ended.stdout).toMatch(/^ {4}1\. \S/m);
    expect(ended.stdout).toContain('no CAP_BPF');
    expect(ended.stdout).toContain('COULD NOT BE LOOKED AT');
    expect(ended.stderr).toBe('');
  });

  it('finds for nobody what routes and neighbours tell of pods that may not be entered', async () => {
    const { under, ...nobody } = asNobody();
    const there = { ...nobody, under: ['ip', 'netns', 'exec', lab.netns('node'), ...under] };
    await lab.inside(
      'node',
      `echo 1 > ${CONF}/all/rp_filter
       ip neighbour add ${ADDRESS.pod} lladdr 0e:00:0a:f4:03:01 dev lxcabcd nud permanent`,
    );
    const ended = await rpftrace(['doctor', '-o', 'json'], there);
    const { pods } = parse(ended);
    await lab.inside(
      'node',
      `echo 0 > ${CONF}/all/rp_filter; ip neighbour delete ${ADDRESS.pod} dev lxcabcd`,
    );

    expect(ended.code).toBe(4);
    expect(pods.find(({ device }) => device === 'lxcabcd')).toMatchObject({
      ip_from: 'neighbour',
      would_drop: true,
    });
    const other = pods.find(({ device }) => device === 'lxcabce');
    expect(other).toMatchObject({ would_drop: null });
    expect(other?.unknown).toContain('cannot be looked into');
  });

  it('in a container says that it sees nothing of the machine around it', async () => {
    const { under } = hiding('/run/netns');
    const container = [...under, 'unshare', '--net', '--pid', '--fork', '--mount-proc'];
    const ended = await rpftrace(['doctor'], { under: container });
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/: no pod device was found$/m);
    expect(ended.stdout).toContain('hostPID: true');
    expect(ended.stderr).toBe('');
  });

  it.each<[string, RunOptions, string]>([
    ['where seccomp refuses bpf()', withoutBpf, 'E_BPF_REFUSED'],
    ['without BTF', hiding('/sys/kernel/btf'), 'E_NO_BTF'],
  ])('%s it ends with 3, and with what is missing', async (_what, options, code) => {
    const ended = await rpftrace(['doctor', '-o', 'json', '--netns', lab.netns('node')], options);
    const { tracer, features } = parse(ended);
    expect(ended.code).toBe(3);
    expect(tracer).toMatchObject({ can_run: false, code });
    const kfreeSkb = features.find(({ name }) => name === 'tp_btf/kfree_skb');
    expect(kfreeSkb).toMatchObject({ state: 'unavailable', why: expect.stringMatching(/\S/) });
  });

  it.each([
    ['a namespace that is not there', ['--netns', 'nosuchns'], 'nosuchns'],
    ['a root that is none', ['--root', '/etc/passwd'], '/etc/passwd is no directory'],
    ['an unknown format', ['-o', 'xml'], 'text, json'],
  ])('%s is wrong usage', async (_what, args, words) => {
    const { code, stdout, stderr } = await rpftrace(['doctor', ...args]);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(words);
  });

  it('has colours on a terminal only, and never what a device’s name wants a terminal to do', async () => {
    await lab.inside(
      'node',
      `ip link add "$(printf 'lxc\\033[2J')" type veth peer name evil netns ${lab.netns('pod2')}`,
    );
    const plain = await doctor();
    const coloured = await rpftrace(['doctor', '--netns', lab.netns('node')], { env: { FORCE_COLOR: '1' } });
    await lab.inside('pod2', 'ip link delete evil');
    expect(plain.stdout).not.toContain('\x1b');
    expect(plain.stdout).toContain('lxc\\x1b[2J');
    expect(coloured.stdout).toContain('\x1b[1mTHIS MACHINE\x1b[0m');
    expect(coloured.stdout).not.toContain('\x1b[2J');
  });

  it('explains itself', async () => {
    const { code, stdout } = await rpftrace(['doctor', '--help']);
    expect(code).toBe(0);
    for (const option of ['--output', '--netns', '--root', '--all', '--cri-socket'])
      expect(stdout).toContain(option);
    expect(stdout).toContain('no packet is sent');
    expect(stdout).toMatch(/^ {2}4 {2}packets of a pod would be dropped now$/m);
  });
});

/** From outside, of the lab's node alone: what is on the machine beside it is not ours to judge. */
function doctor(...args: string[]): Promise<Ended> {
  return rpftrace(['doctor', '--netns', lab.netns('node'), ...args]);
}

/** As on the node itself: settings files are applied to the network namespace that one is in. */
function inNode(...args: string[]): Promise<Ended> {
  return rpftrace(['doctor', '--netns', lab.netns('node'), ...args], {
    under: ['ip', 'netns', 'exec', lab.netns('node')],
  });
}

function parse({ stdout }: Ended): Report {
  return reportSchema.parse(JSON.parse(stdout));
}

/** What packets and lookups would move. */
async function observed(): Promise<object> {
  const devices = await lab.inside('node', 'cat /proc/net/dev');
  return { devices, ...(await readCounters(lab)) };
}

function rootWith(files: Readonly<Record<string, string | undefined>>): string {
  const root = temporaryDirectory();
  for (const [path, text = ''] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  if (!existsSync(join(root, 'etc/sysctl.d'))) mkdirSync(join(root, 'etc/sysctl.d'), { recursive: true });
  return root;
}
