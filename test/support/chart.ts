import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { CHART, renderChart } from '../../scripts/lib/chart.mjs';
import { fetchKubernetesTools } from '../../scripts/lib/kubernetes-tools.mjs';
import type { Manifest } from './kubernetes-schemas.js';

const root = resolve(import.meta.dirname, '..', '..');

/** A file of the project. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The chart's own values. */
export const defaults: Record<string, unknown> = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8'));

const { helm, helm3 } = await fetchKubernetesTools();

export const HELMS = { 'Helm 4': helm, 'Helm 3': helm3 };

/** What the chart makes of values, for a cluster of this version. */
export function render(values: object, kubernetes?: string): Manifest[] {
  return objectsIn(rendered(helm, values, kubernetes));
}

/** The same by the Helm that most people have. */
export function renderByHelm3(values: object): Manifest[] {
  return objectsIn(rendered(helm3, values));
}

/** As Kubernetes reads YAML: 0400 is octal. */
export function objectsIn(text: string): Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

/** Helm is asked once for each. */
function rendered(program: string, values: object, kubernetes = 'v1.33.0'): string {
  const key = JSON.stringify([program, values, kubernetes]);
  const text = texts.get(key) ?? renderChart(program, { values, kubernetes });
  texts.set(key, text);
  return text;
}

const texts = new Map<string, string>();

/** Of the DaemonSet. */
// biome-ignore lint/suspicious/noExplicitAny: checked against the schema of its kind
export function podOf(objects: readonly Manifest[]): any {
  return objects.find(({ kind }) => kind === 'DaemonSet')?.spec.template.spec;
}

// biome-ignore lint/suspicious/noExplicitAny: checked against the schema of its kind
export function containerOf(objects: readonly Manifest[]): any {
  return podOf(objects).containers[0];
}

/** The configuration of `rpftrace serve`. */
export function configOf(objects: readonly Manifest[]): string {
  return objects.find(({ kind }) => kind === 'ConfigMap')?.data['config.yaml'];
}

export const valuesSchema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
