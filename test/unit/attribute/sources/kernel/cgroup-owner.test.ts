import { expect, it } from 'vitest';
import { cgroupOwner } from '../../../../../src/attribute/sources/kernel/cgroup-owner.js';

const uid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
const slice = uid.replaceAll('-', '_');
const id = '0123456789abcdef'.repeat(4);

it.each([
  [
    'systemd, v2',
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${slice}.slice/cri-containerd-${id}.scope`,
  ],
  ['systemd, guaranteed', `0::/kubepods.slice/kubepods-pod${slice}.slice/cri-containerd-${id}.scope`],
  [
    'CRI-O',
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${slice}.slice/crio-${id}.scope`,
  ],
  [
    'CRI-O, a cgroup further down',
    `0::/kubepods.slice/kubepods-pod${slice}.slice/crio-${id}.scope/container`,
  ],
  ['docker', `4:memory:/kubepods.slice/kubepods-pod${slice}.slice/docker-${id}.scope`],
  ['cgroupfs, v1', `9:cpuset:/\n8:pids:/kubepods/besteffort/pod${uid}/${id}\n0::/`],
  ['cgroupfs, CRI-O', `0::/kubepods/besteffort/pod${uid}/crio-${id}`],
  [
    'containerd with a driver of its own',
    `1:name=systemd:/system.slice/containerd.service/kubepods-burstable-pod${slice}.slice:cri-containerd:${id}`,
  ],
  [
    'kind',
    `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${slice}.slice/cri-containerd-${id}.scope`,
  ],
  [
    'from inside of a cgroup namespace',
    `0::/../../kubepods-burstable-pod${slice}.slice/cri-containerd-${id}.scope`,
  ],
])('%s', (_what, text) => {
  expect(cgroupOwner(text)).toEqual({ uid, container: id });
});

it('knows a static pod by the hash of its manifest', () => {
  const hash = '0123456789abcdef0123456789abcdef';
  expect(cgroupOwner(`0::/kubepods/burstable/pod${hash}/${id}`)).toEqual({ uid: hash, container: id });
});

it('knows a pod without a container', () => {
  expect(cgroupOwner(`0::/kubepods/pod${uid}`)).toEqual({ uid, container: undefined });
});

it.each([
  ['a container that is no pod', `0::/system.slice/docker-${id}.scope`],
  ['a service', '0::/system.slice/kubelet.service'],
  ['the root', '0::/'],
  ['nothing', ''],
  [
    'conmon, which is in the network of the node',
    `0::/kubepods.slice/kubepods-pod${slice}.slice/crio-conmon-${id}.scope`,
  ],
  ['a name that only looks like it', `0::/user.slice/pod${uid}`],
  ['half of a UID', '0::/kubepods/pod0f1e2d3c-4b5a'],
])('is undefined for %s', (_what, text) => {
  expect(cgroupOwner(text)).toBeUndefined();
});
