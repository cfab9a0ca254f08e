import type { Source, SourceName } from '../source.js';
import type { KubernetesOptions } from '../sources/kubernetes-options.js';
import { LazySource, switchedOff } from './lazy-source.js';

/** Where pods are looked for. What is left out is looked for in its usual place. */
export interface PodSourceOptions extends KubernetesOptions {
  readonly cilium?: boolean | undefined;
  readonly ciliumSocket?: string | undefined;
  readonly cri?: boolean | undefined;
  readonly criSocket?: string | undefined;
  readonly kubernetes?: boolean | undefined;
  /** The processes of this machine, for their network namespaces and cgroups. */
  readonly processes?: boolean | undefined;
}

/** All sources, those that are not wanted too: their state says so. */
export function podSources(options: PodSourceOptions): Source[] {
  const { cilium = true, cri = true, kubernetes = true, processes = true } = options;
  return [
    wanted('cilium', cilium, async () => {
      const { CiliumSource } = await import('../sources/cilium/source.js');
      return new CiliumSource({ socket: options.ciliumSocket });
    }),
    wanted('cilium_state', cilium, async () => {
      const { CiliumStateSource } = await import('../sources/cilium/state-source.js');
      return new CiliumStateSource();
    }),
    wanted('cri', cri, async () => {
      const { CriSource } = await import('../sources/cri/source.js');
      return new CriSource({ socket: options.criSocket });
    }),
    wanted('kubernetes', kubernetes, async () => {
      const { KubernetesSource } = await import('../sources/kubernetes/source.js');
      return new KubernetesSource(options);
    }),
    wanted('kernel', processes, async () => {
      const { KernelSource } = await import('../sources/kernel/source.js');
      return new KernelSource();
    }),
  ];
}

function wanted(name: SourceName, isWanted: boolean, load: () => Promise<Source>): Source {
  return isWanted ? new LazySource(name, load) : switchedOff(name);
}
