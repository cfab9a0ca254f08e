import type { Resource } from './resource.js';

/** The pods of a node. kubelet runs 110 unless told otherwise; those that have ended count until somebody deletes them. */
export function podsOf(node: string): Resource {
  return {
    path: '/api/v1/pods',
    fieldSelector: `spec.nodeName=${node}`,
    permission: 'list and watch of pods',
    max: 10_000,
  };
}

export const SERVICES: Resource = {
  path: '/api/v1/services',
  permission: 'list and watch of services',
  max: 50_000,
};

export const ENDPOINT_SLICES: Resource = {
  path: '/apis/discovery.k8s.io/v1/endpointslices',
  permission: 'list and watch of endpointslices (discovery.k8s.io)',
  max: 50_000,
};

export const NODES: Resource = {
  path: '/api/v1/nodes',
  permission: 'list and watch of nodes',
  max: 20_000,
};

export const CILIUM_NODES: Resource = {
  path: '/apis/cilium.io/v2/ciliumnodes',
  permission: 'list and watch of ciliumnodes (cilium.io)',
  max: 20_000,
};
