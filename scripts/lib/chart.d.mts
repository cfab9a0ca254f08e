export interface RenderOptions {
  /** A folder, or what `helm package` made of one. */
  readonly chart?: string;
  readonly values?: object;
  readonly release?: string;
  readonly namespace?: string;
  /** The version of the cluster: v1.33.0. */
  readonly kubernetes?: string;
}

export const CHART: string;
export const MANIFESTS: string;
export function renderChart(helm: string, options?: RenderOptions): string;
export function runHelm(helm: string, args: readonly string[], values?: object): string;
export function renderManifests(): Promise<string>;
