import { randomUUID } from 'node:crypto';
import {
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { VERSION } from '../version.js';

export interface Sender {
  /** Name of this machine. */
  readonly node: string;
  /** Something that people should know, in words. */
  readonly note: (text: string) => void;
}

/** Who sends. What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say counts more. */
export function resourceOf({ node, note }: Sender): Resource {
  const own = resourceFromAttributes({
    'service.name': 'rpftrace',
    'service.version': VERSION,
    // Without one Prometheus would take the counts of two nodes, or of two sidecars of one node, for one series.
    'service.instance.id': `${node}/${randomUUID().slice(0, 8)}`,
    'host.name': node,
    ...(process.env.KUBERNETES_SERVICE_HOST && { 'k8s.node.name': node }),
    'process.pid': process.pid,
  });
  const given = detectResources({ detectors: [envDetector] });
  const { OTEL_RESOURCE_ATTRIBUTES: text } = process.env;
  // The detector leaves the whole list out where one of it cannot be read; the name of the service is another variable's.
  if (text?.trim() && Object.keys(given.attributes).every((name) => name === 'service.name'))
    note(
      'OTEL_RESOURCE_ATTRIBUTES is left out: it is no list like deployment.environment.name=test,team=net',
    );
  return own.merge(given);
}
