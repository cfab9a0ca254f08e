/** Paths of programs. */
export interface KubernetesTools {
  readonly helm: string;
  /** The last but one: Helm 3. */
  readonly helm3: string;
  readonly kubectl: string;
}

export function fetchKubernetesTools(): Promise<KubernetesTools>;
