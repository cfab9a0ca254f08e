import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { CHART, renderChart } from '../../scripts/lib/chart.mjs';
import type { Manifest } from './kubernetes-schemas.js';

const root = resolve(import.meta.dirname, '..', '..');

/** A file of the project. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The chart's own values. */
export const defaults: Record<string, unknown> = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8'));

/** What the chart makes of values, for a cluster of this version. */
export function render(values: object, kubernetes?: string): Manifest[] {
  return objectsIn(renderChart({ values, ...(kubernetes === undefined ? {} : { kubernetes }) }).objects);
}

export function objectsIn(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

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

/** What the chart's schema has against values that are put over its own. */
export function faultsOfValues(given: object): string[] {
  const validate = new Ajv({ allowUnionTypes: true, strict: false }).compile(valuesSchema);
  validate(merged(defaults, given));
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

export const valuesSchema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));

/** As Helm puts values together. */
function merged(before: Record<string, unknown>, given: object): Record<string, unknown> {
  const entries = Object.entries(given).map(([key, value]) => {
    const below = before[key];
    return [key, isMap(value) && isMap(below) ? merged(below, value) : value];
  });
  return { ...before, ...Object.fromEntries(entries) };
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
