export interface RenderOptions {
  readonly values?: object;
  readonly release?: string;
  readonly namespace?: string;
  /** The version of the cluster: v1.33.0. */
  readonly kubernetes?: string;
}

export const CHART: string;
export const MANIFESTS: string;
export function renderChart(options?: RenderOptions): { objects: string; notes: string };
export function renderManifests(): string;
