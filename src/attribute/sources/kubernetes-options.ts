/** How to reach the Kubernetes API and what to ask it for. */
export interface KubernetesOptions {
  /** A kubeconfig file. Otherwise $KUBECONFIG, the pod's own service account, ~/.kube/config, in this order. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig; otherwise its current one. */
  readonly context?: string | undefined;
  /** The name that this node has in Kubernetes. Otherwise $NODE_NAME, the node of the own pod, the host's name. */
  readonly node?: string | undefined;
  /** Whether services, nodes and pods of other nodes are asked for, to name the other end. Yes, unless said otherwise. */
  readonly peers?: boolean | undefined;
}

/** The words on the command line, beside --node. Commander makes KubernetesOptions of them. */
export const KUBERNETES_FLAGS = [
  {
    flags: '--kubeconfig <file>',
    help: 'reach the Kubernetes API with this file (otherwise $KUBECONFIG, the service account, ~/.kube/config)',
  },
  { flags: '--context <name>', help: 'use this context of the kubeconfig' },
  { flags: '--no-peers', help: 'do not ask the Kubernetes API for services and nodes to name the other end' },
] as const;
