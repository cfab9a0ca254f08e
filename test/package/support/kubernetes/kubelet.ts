import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDRESS } from '../../../../src/lab/topology.js';
import { Daemon } from '../../../support/daemon.js';
import { mounts } from '../../../support/mounts.js';
import type { KubernetesPrograms } from './build.js';
import { NODE, type Papers } from './papers.js';

export interface KubeletOptions {
  readonly programs: KubernetesPrograms;
  readonly papers: Papers;
  readonly folder: string;
  /** Words that lead into mounts and network of the node. */
  readonly enter: readonly string[];
  /** The cgroup that those of its pods are made in. */
  readonly cgroups: string;
  readonly isReady: () => Promise<boolean>;
}

/** Runs the pods of the node by containerd. Resolves when it is ready. */
export async function startKubelet(options: KubeletOptions): Promise<Daemon> {
  const { programs, papers, folder, enter, cgroups, isReady } = options;
  makeCgroups(cgroups);
  const config = join(folder, 'kubelet.json');
  writeFileSync(config, JSON.stringify(configuration(papers, cgroups)));
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  const flags = [
    ...[`--config=${config}`, `--kubeconfig=${papers.kubeconfig(`system:node:${NODE}`, 'system:nodes')}`],
    ...[`--hostname-override=${NODE}`, `--node-ip=${ADDRESS.node}`, `--cert-dir=${folder}`],
    ...['--container-runtime=remote', '--container-runtime-endpoint=unix:///run/containerd/containerd.sock'],
    `--volume-plugin-dir=${plugins}`,
  ];
  const log = join(folder, 'kubelet.log');
  return await Daemon.start([...enter, programs.kubelet, ...flags], { log, isReady });
}

function configuration(papers: Papers, cgroupRoot: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: papers.path('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    cgroupRoot,
    // What is set for the whole machine is as it should be, or nothing begins.
    protectKernelDefaults: true,
    makeIPTablesUtilChains: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    // The disk is not the node's alone: how full it is says nothing about the pods.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'nodefs.available': '0%', 'imagefs.available': '0%', 'nodefs.inodesFree': '0%' },
  };
}

/** The kubelet begins in one that is there. */
function makeCgroups(cgroup: string): void {
  const hierarchies = mounts().filter(({ type }) => type === 'cgroup');
  for (const { path } of hierarchies) mkdirSync(`${path}${cgroup}`, { recursive: true });
}
