import type { KubernetesOptions } from './attribute/sources/kubernetes-options.js';
import type { OtlpTarget } from './otlp/otlp.js';
import type { Clock } from './record/clock.js';
import type { Forwarder } from './sink/forwarder.js';

export interface ForwarderOptions {
  /** An OpenTelemetry collector. */
  readonly otlp?: OtlpTarget | undefined;
  /** Series of drops that the collector gets, at most. */
  readonly maxSeries?: number | undefined;
  /** Whether the pods of incidents get Events. */
  readonly kubernetesEvents?: boolean | undefined;
  readonly kubernetes: KubernetesOptions;
}

/** Where it all comes from, and to whom what people should know is told. */
export interface ForwarderPlace {
  readonly node: string;
  readonly note: (text: string) => void;
}

export type OpenForwarder = (clock: Clock) => Forwarder;

/** Those that are asked for. They are loaded only where they are used. */
export async function loadForwarders(
  { otlp, maxSeries, kubernetesEvents, kubernetes }: ForwarderOptions,
  { node, note }: ForwarderPlace,
): Promise<OpenForwarder[]> {
  const forwarders: OpenForwarder[] = [];
  if (otlp !== undefined) {
    const { Otlp } = await import('./otlp/otlp.js');
    forwarders.push((clock) => new Otlp({ ...otlp, maxSeries, node, note, clock }));
  }
  if (kubernetesEvents) {
    const { PodEvents } = await import('./pod-events/pod-events.js');
    forwarders.push(() => new PodEvents({ kubernetes, note }));
  }
  return forwarders;
}
