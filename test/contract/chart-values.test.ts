import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART, renderChart } from '../../scripts/lib/chart.mjs';
import {
  configOf,
  containerOf,
  defaults,
  faultsOfValues,
  isMap,
  read,
  render,
  valuesSchema,
} from '../support/chart.js';

const manifest = JSON.parse(read('package.json'));
const chart = parse(read('deploy/helm/rpftrace/Chart.yaml'));

describe('values that cannot be meant', () => {
  it.each([
    ['open to others without a token', { expose: true }, 'token'],
    ['in its own network without a token', { hostNetwork: false }, 'token'],
    ['a token twice', { token: { secret: 'a', value: 'b' } }, 'not both'],
    ['metrics on a loopback address', { podMonitor: { enabled: true } }, 'loopback'],
    ['events without the API server', { kubernetes: { api: false, events: true } }, 'kubernetes.api'],
    ['a policy for the node', { networkPolicy: { enabled: true } }, 'hostNetwork: false'],
  ])('%s: the chart says so', (_name, values, words) => {
    expect(() => renderChart({ values })).toThrow(words);
  });

  it.each([
    ['a key that is none', { hostnetwork: true }],
    ['a capability with its prefix', { capabilities: ['CAP_BPF'] }],
    ['a port that is none', { port: 0 }],
    ['a profile that is none', { seccomp: { type: 'runtime/default' } }],
  ])('%s: the schema says so', (_name, values) => {
    expect(faultsOfValues(values)).not.toEqual([]);
  });

  it('what the chart decides counts more than config', () => {
    const values = { config: { listen: ['0.0.0.0:1'], sources: { kubernetes: false, cri: false } } };
    const config = parse(configOf(render(values)));
    expect(config.listen).toContain('127.0.0.1:14100');
    expect(config.sources).toMatchObject({ kubernetes: true, cri: false });
  });
});

describe('the chart', () => {
  it('is of the version of rpftrace, and runs its image', () => {
    expect(chart.version).toBe(manifest.version);
    expect(chart.appVersion).toBe(manifest.version);
    expect(containerOf(render({})).image).toBe(`rpftrace:${manifest.version}`);
  });

  it('has a schema that knows each value, and no other', () => {
    expect(keysOf(defaults).filter((path) => !isInSchema(valuesSchema, path))).toEqual([]);
    const top = Object.keys(valuesSchema.properties).filter((key) => key !== 'global');
    expect(top.sort()).toEqual(Object.keys(defaults).sort());
  });

  it('uses each value', () => {
    const files = readdirSync(join(CHART, 'templates'));
    const templates = files.map((file) => readFileSync(join(CHART, 'templates', file), 'utf8')).join('\n');
    const unused = keysOf(defaults).filter((path) => !isUsed(templates, path));
    expect(unused).toEqual([]);
  });

  it('explains each value, above it or above its parts', () => {
    const lines = read('deploy/helm/rpftrace/values.yaml').split('\n');
    const bare = lines.filter(
      (line, at) =>
        /^\w+:/.test(line) && ![lines[at - 1], lines[at + 1]].some((one) => /^ *# /.test(one ?? '')),
    );
    expect(bare).toEqual([]);
  });

  it('makes agents that rpftrace attach --all-nodes finds without being told where', () => {
    const help = execFileSync('bin/rpftrace', ['attach', '--help'], { encoding: 'utf8' }).replace(
      /\s+/g,
      ' ',
    );
    const pods = render({}).find(({ kind }) => kind === 'DaemonSet');
    const { labels } = pods?.spec.template.metadata ?? {};
    expect(help).toContain(`(default: ${pods?.metadata.namespace})`);
    expect(help).toContain(`(default: app.kubernetes.io/name=${labels['app.kubernetes.io/name']})`);
    expect(help).toContain(`(default: ${containerOf(render({})).ports[0].containerPort})`);
  });

  it('notes what to do next, with the names of the release', () => {
    const { notes } = renderChart({ release: 'edge', namespace: 'net' });
    expect(notes).toContain('kubectl -n net exec ds/edge-rpftrace');
    expect(notes).toContain('rpftrace attach --all-nodes --agents-namespace net\n');
  });
});

/** "image.tag": down to what is no map, or is empty. */
function keysOf(values: Record<string, unknown>, before = ''): string[] {
  return Object.entries(values).flatMap(([key, value]) =>
    isMap(value) && Object.keys(value).length > 0 ? keysOf(value, `${before}${key}.`) : [`${before}${key}`],
  );
}

/** As it stands, or as a whole of which it is a part. */
function isUsed(templates: string, path: string): boolean {
  const parts = path.split('.');
  return parts.some((_, at) =>
    new RegExp(`\\.Values\\.${parts.slice(0, at + 1).join('\\.')}(?![\\w.])`).test(templates),
  );
}

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly additionalProperties?: unknown;
}

function isInSchema(schema: Schema, path: string): boolean {
  let at: Schema | undefined = schema;
  for (const key of path.split('.')) {
    if (at?.properties === undefined) return at !== undefined && at.additionalProperties !== false;
    at = at.properties[key];
  }
  return at !== undefined;
}
