import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { MANIFESTS, renderManifests } from '../../scripts/lib/chart.mjs';
import { fetchKubernetesTools } from '../../scripts/lib/kubernetes-tools.mjs';
import { objectsIn, read } from '../support/chart.js';
import { faultsOf, type Manifest } from '../support/kubernetes-schemas.js';

describe('deploy/kubernetes', () => {
  it('rpftrace.yaml is what the chart makes: npm run manifests', async () => {
    expect(readFileSync(MANIFESTS, 'utf8')).toBe(await renderManifests());
  });

  it.each(['rpftrace.yaml', 'sidecar.yaml'])('%s is what the Kubernetes API takes', (file) => {
    const objects = objectsIn(read(`deploy/kubernetes/${file}`));
    expect(objects.length).toBeGreaterThan(0);
    expect(objects.flatMap(faultsOf)).toEqual([]);
  });

  it.each(['rpftrace.yaml', 'sidecar.yaml'])('%s is read by kubectl as it is read here', async (file) => {
    const { kubectl } = await fetchKubernetesTools();
    const words = ['label', '--local', '-f', join(dirname(MANIFESTS), file), 'none-', '-o', 'json'];
    const env = { ...process.env, KUBECONFIG: '/dev/null' };
    const asRead = execFileSync(kubectl, words, { env, encoding: 'utf8' }).replace(/^\}\n\{/gm, '},{');
    expect(JSON.parse(`[${asRead}]`)).toEqual(objectsIn(read(`deploy/kubernetes/${file}`)));
  });

  it('debug.yaml is a part of a container that kubectl debug --custom takes', () => {
    const custom = parse(read('deploy/kubernetes/debug.yaml'));
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'x' },
      spec: { containers: [{ name: 'debugger', image: 'rpftrace', ...custom }] },
    };
    expect(faultsOf(pod)).toEqual([]);
  });

  it('the schemas find what is wrong', () => {
    const [pod] = objectsIn(read('deploy/kubernetes/sidecar.yaml')) as [Manifest];
    const spoilt = structuredClone(pod);
    spoilt.spec.containers[0].securitycontext = {};
    spoilt.spec.containers[1].ports = [{ containerport: 1, containerPort: 14100 }];
    expect(faultsOf(spoilt)).toEqual([
      'Pod.spec.containers.0 has no securitycontext',
      'Pod.spec.containers.1.ports.0 has no containerport',
    ]);
    spoilt.spec.containers[0].image = 7;
    expect(faultsOf(spoilt)).toEqual([expect.stringContaining('must be string')]);
  });
});
