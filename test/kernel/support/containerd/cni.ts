import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ADDRESS, ADDRESS6, MAC } from '../../../../src/lab/topology.js';
import { FOLDER } from './settings.js';

/**
 * How pods are connected. ptp: the plugin of containernetworking, a veth with an address at the node's end. lxc: as Cilium does
 * it, in a lab's node (lxc-cni.mjs says what that means).
 */
export type PodNetwork = 'ptp' | 'lxc';

export interface CniDirectories {
  readonly bin: string;
  readonly conf: string;
}

/** Makes a folder of plugins and one of configurations, both for one containerd alone. */
export async function prepareCni(folder: string, network: PodNetwork): Promise<CniDirectories> {
  const directories = { bin: join(folder, 'bin'), conf: join(folder, 'net.d') };
  await mkdir(directories.bin, { recursive: true });
  await mkdir(directories.conf, { recursive: true });
  await Promise.all(PLUGINS.map((name) => symlink(join(DEBIAN_PLUGINS, name), join(directories.bin, name))));
  await installLxcPlugin(join(directories.bin, 'rpftrace-lxc'));
  const list = { cniVersion: '0.4.0', name: 'rpftrace', plugins: [plugin(network, join(folder, 'ipam'))] };
  await writeFile(join(directories.conf, '10-rpftrace.conflist'), JSON.stringify(list));
  return directories;
}

const DEBIAN_PLUGINS = '/usr/lib/cni';
const PLUGINS = ['loopback', 'host-local', 'ptp'];

/** With the node that runs this: there may be none in the PATH of containerd. */
async function installLxcPlugin(path: string): Promise<void> {
  const script = await readFile(join(FOLDER, 'lxc-cni.mjs'), 'utf8');
  const module = `${path}.mjs`;
  await writeFile(module, script);
  await writeFile(path, `#!/bin/sh\nexec "${process.execPath}" "${module}"\n`);
  await chmod(path, 0o755);
}

function plugin(network: PodNetwork, dataDir: string): object {
  const ipam = { type: 'host-local', dataDir, ranges: RANGES[network] };
  if (network === 'ptp') return { type: 'ptp', ipam };
  const gateways = { 4: ADDRESS.ciliumHost, 6: ADDRESS6.ciliumHost };
  return { type: 'rpftrace-lxc', mac: MAC, gateways, ipam };
}

/** Those of lxc lie beside the addresses of the lab's own pods, in the networks that its node routes to cilium_host. */
const RANGES = {
  ptp: [[{ subnet: '10.244.9.0/24' }]],
  lxc: [
    [
      {
        subnet: '10.244.3.0/24',
        rangeStart: '10.244.3.150',
        rangeEnd: '10.244.3.250',
        gateway: '10.244.3.1',
      },
    ],
    [
      {
        subnet: 'fd00:10:244:3::/64',
        rangeStart: 'fd00:10:244:3::200',
        rangeEnd: 'fd00:10:244:3::2ff',
        gateway: 'fd00:10:244:3::1',
      },
    ],
  ],
} as const;
