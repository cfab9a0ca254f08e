import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { quietly } from './command.mjs';

/** Is there from the start: guest/incident/prepare. */
export const HARDENING = '/etc/sysctl.d/50-hardening.conf';

/** As a container runtime names them. */
export const CONTAINER = '5ad6ea37b9'.padEnd(64, 'c0de');

/** A profile of tuned with the setting, in the place of the file of sysctl.d. */
export function tunedProfile(assignment) {
  rmSync(HARDENING);
  const lines = ['[main]', 'include=virtual-guest', '[sysctl]', assignment];
  writeLines('/etc/tuned/profiles/hardened/tuned.conf', lines);
  return () => quietly('tuned-adm profile virtual-guest');
}

/** As on a node that Cilium's tools/sysctlfix has not been run on. */
export function withoutOverride() {
  const file = '/etc/sysctl.d/99-zzz-override_cilium.conf';
  const text = readFileSync(file);
  rmSync(file);
  return () => writeFileSync(file, text);
}

/** A file of networkd for the pod's device. */
export function networkFile() {
  const file = '/etc/systemd/network/10-pods.network';
  const lines = ['[Match]', 'Name=lxcabcd', '[Network]', 'LinkLocalAddressing=no'];
  writeLines(file, [...lines, 'ConfigureWithoutCarrier=yes', 'IPv4ReversePathFilter=strict']);
  return async () => {
    await quietly('systemctl stop systemd-networkd.socket systemd-networkd');
    rmSync(file);
  };
}

/** NetworkManager itself has no such setting; its scripts may do anything. */
export async function dispatcherScript(assignment) {
  const file = '/etc/NetworkManager/dispatcher.d/50-hardening';
  writeLines(file, ['#!/bin/sh', `[ "$1 $2" = "dummy0 up" ] && sysctl -q -w ${assignment}`], 0o755);
  await quietly('systemctl start NetworkManager');
  const device = 'type dummy ifname dummy0 ip4 198.51.100.1/24';
  await quietly(`nmcli connection add con-name office autoconnect no ${device}`);
  return async () => {
    await quietly('nmcli connection delete office');
    await quietly('systemctl stop NetworkManager');
    rmSync(file);
  };
}

/** A bundle for runc, with this machine's own programs inside, in a cgroup as the kubelet and containerd name them. */
export function container(assignment) {
  const root = '/run/hardener/rootfs';
  for (const name of ['usr', 'proc', 'dev']) mkdirSync(`${root}/${name}`, { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, `${root}/${name}`);
  const capabilities = ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN'];
  const config = {
    ociVersion: '1.0.2',
    process: {
      cwd: '/',
      args: ['/usr/sbin/sysctl', '-w', assignment],
      env: ['PATH=/usr/sbin:/usr/bin'],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: root },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/usr', type: 'bind', source: '/usr', options: ['rbind', 'ro'] },
    ],
    linux: {
      cgroupsPath: `kubepods.slice:cri-containerd:${CONTAINER}`,
      namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
    },
  };
  writeLines('/run/hardener/config.json', [JSON.stringify(config)]);
  return () => rmSync('/run/hardener', { recursive: true });
}

function writeLines(file, lines, mode = 0o644) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${lines.join('\n')}\n`, { mode });
}
