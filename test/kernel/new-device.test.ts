import { expect, it } from 'vitest';
import type { Lab } from '../../src/lab/lab.js';
import { run } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS, MAC } from '../../src/lab/topology.js';
import { incidentWhen, traceUntil } from './support/incidents.js';
import { count, dropsOf, useLab } from './support/lab.js';
import { script } from './support/script.js';

const DEFAULT = 'net.ipv4.conf.default.rp_filter';

/** A new pod on the node each time: a veth pair, whose one end has no address. */
const lab = useLab();

it('a device that inherited default has the one who wrote default for its culprit; the fix is for both', async () => {
  const events = await traceUntil(lab, async (program) => {
    await lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter');
    await addPod(lab, 'lxcnew1');
    await sendFrom('lxcnew1');
    const incident = await incidentWhen(program, () => true);
    expect(incident.cause).toMatchObject({
      kind: 'sysctl_change',
      change: { name: DEFAULT, old: '0', new: '1', writer: { comm: 'sh' } },
    });
    expect(incident.devices).toEqual(['lxcnew1']);
    const [fix = ''] = incident.fix;
    expect(fix).toMatch(
      /sysctl -w net\.ipv4\.conf\.default\.rp_filter=0 net\.ipv4\.conf\.lxcnew1\.rp_filter=0$/,
    );

    await run('sh', ['-c', fix]);
    await incidentWhen(program, ({ state }) => state === 'closed');
    await sendFrom('lxcnew1');
    await addPod(lab, 'lxcnew2');
    await sendFrom('lxcnew2');
    return () => program.events;
  });
  expect(count(dropsOf(events()))).toBe(3);
});

it('what udev has systemd-sysctl do to a new device is told as that, with its parents', async () => {
  const tool = script('systemd-sysctl', 'echo 1 > "/proc/sys$1/rp_filter"');
  const incident = await traceUntil(lab, async (program) => {
    await addPod(lab, 'lxcnew3');
    await lab.inside('node', `${tool} /net/ipv4/conf/lxcnew3`);
    await sendFrom('lxcnew3');
    return await incidentWhen(program, () => true);
  });
  expect(incident.cause.change).toMatchObject({
    name: 'net.ipv4.conf.lxcnew3.rp_filter',
    old: '0',
    new: '1',
    seen_by: 'cgroup_sysctl',
    writer: {
      comm: 'systemd-sysctl',
      parents: expect.arrayContaining([expect.objectContaining({ comm: 'sh' })]),
    },
  });
});

it('a device that is born with what default was before the trace: nobody is named, and it is said where it comes from', async () => {
  await lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter');
  const incident = await traceUntil(lab, async (program) => {
    await addPod(lab, 'lxcnew4');
    await sendFrom('lxcnew4');
    return await incidentWhen(program, () => true);
  });
  await lab.inside('node', 'echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter');
  expect(incident.cause).toMatchObject({
    kind: 'unknown',
    why: expect.stringMatching(/^lxcnew4 is new and took over net\.ipv4\.conf\.default\.rp_filter=1, /),
  });
});

async function addPod(lab: Lab, device: string): Promise<void> {
  const peer = `netns ${lab.netns('pod')}`;
  await lab.inside(
    'node',
    [
      `ip link add ${device} address ${MAC} type veth peer name ${device} ${peer} address ${MAC}`,
      `ip link set ${device} up`,
      `ip -n ${lab.netns('pod')} link set ${device} up`,
    ].join('\n'),
  );
}

async function sendFrom(device: string): Promise<void> {
  await send(lab, { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world, device }, { count: 3 });
}
