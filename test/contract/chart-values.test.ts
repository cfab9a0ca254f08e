import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART, renderChart, runHelm } from '../../scripts/lib/chart.mjs';
import {
  configOf,
  containerOf,
  defaults,
  HELMS,
  isMap,
  read,
  render,
  valuesSchema,
} from '../support/chart.js';

const manifest = JSON.parse(read('package.json'));
const chart = parse(read('deploy/helm/rpftrace/Chart.yaml'));

describe.each(Object.entries(HELMS))('values that cannot be meant, %s', (_name, helm) => {
  it.each([
    ['open to others without a token', { expose: true }, 'token'],
    ['in its own network without a token', { hostNetwork: false }, 'token'],
    ['a token twice', { token: { secret: 'a', value: 'b' } }, 'not both'],
    ['metrics on a loopback address', { podMonitor: { enabled: true } }, 'loopback'],
    ['events without the API server', { kubernetes: { api: false, events: true } }, 'kubernetes.api'],
    ['a policy for the node', { networkPolicy: { enabled: true } }, 'hostNetwork: false'],
    ['a capability with its prefix', { capabilities: ['CAP_BPF'] }, 'Kubernetes has CAP_BPF as BPF'],
  ])('%s: the chart says so', (_name, values, words) => {
    expect(() => renderChart(helm, { values })).toThrow(words);
  });

  it.each([
    ['a key that is none', { hostnetwork: true }, /hostnetwork.* not allowed/],
    ['a port that is none', { port: 0 }, /port.* 1$/],
    ['a profile that is none', { seccomp: { type: 'runtime/default' } }, /seccomp.type.*RuntimeDefault/],
    ['a size that is none', { history: { memory: '16 MB' } }, /history.memory.*pattern/],
  ])('%s: the schema says so', (_name, values, words) => {
    expect(() => renderChart(helm, { values })).toThrow(`don't meet the specifications of the schema`);
    expect(() => renderChart(helm, { values })).toThrow(words);
  });

  it('a cluster that is too old: Helm says so', () => {
    expect(() => renderChart(helm, { kubernetes: 'v1.23.0' })).toThrow(
      `requires kubeVersion: ${chart.kubeVersion}`,
    );
  });
});

describe('the chart', () => {
  it('counts what it decides more than config', () => {
    const values = { config: { listen: ['0.0.0.0:1'], sources: { kubernetes: false, cri: false } } };
    const config = parse(configOf(render(values)));
    expect(config.listen).toContain('127.0.0.1:14100');
    expect(config.sources).toMatchObject({ kubernetes: true, cri: false });
  });

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
    const notes = notesOf({ port: 14101, token: { secret: 'mine' }, tls: { secret: 'certificate' } });
    expect(notes).toContain('kubectl -n net exec ds/edge-rpftrace');
    expect(notes).toContain('rpftrace attach --all-nodes --agents-namespace net --agents-port 14101\n');
    expect(notes).toContain('curl -s https://127.0.0.1:14101/v1/status');
    expect(notes).not.toContain('There is no token');
    expect(notesOf({})).toContain('There is no token');
  });
});

/** What Helm 4 says last. Helm 3 makes the notes as well, but asks a cluster before it shows them. */
function notesOf(values: object): string {
  const words = ['install', 'edge', CHART, '--namespace', 'net', '--dry-run=client'];
  const [, notes = ''] = runHelm(HELMS['Helm 4'], words, values).split('\nNOTES:\n');
  return notes;
}

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
