import type { PodSourceOptions } from '../../attribute/pods/default-sources.js';
import type { ForwarderOptions } from '../../forwarders.js';
import type { Config } from './schema.js';

/** Where pods are looked for. */
export function sourceOptions({ sources, capture }: Config): PodSourceOptions {
  const { cilium_socket: ciliumSocket, cri_socket: criSocket, ...others } = sources;
  return { ...others, ciliumSocket, criSocket, node: capture.node };
}

/** Who gets the events beside the history. */
export function forwarderOptions(config: Config): ForwarderOptions {
  const { otlp, limits, kubernetes_events: kubernetesEvents } = config;
  return { otlp, maxSeries: limits.series, kubernetesEvents, kubernetes: sourceOptions(config) };
}
