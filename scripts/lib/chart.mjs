import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, Stop } from './command.mjs';
import { fetchKubernetesTools } from './kubernetes-tools.mjs';

export const CHART = join(root, 'deploy', 'helm', 'rpftrace');

/** The objects as YAML, by `helm template`. Throws Stop with Helm's own words where it does not take the values. */
export function renderChart(
  helm,
  { chart = CHART, values, release = 'rpftrace', namespace = 'rpftrace', kubernetes = 'v1.33.0' } = {},
) {
  const where = [release, chart, '--namespace', namespace, '--kube-version', kubernetes];
  return runHelm(helm, ['template', ...where], values);
}

/** What Helm says on standard output. Throws Stop with its own words where it refuses. It knows of no cluster. */
export function runHelm(helm, args, values = {}) {
  const { status, stdout, stderr, error } = spawnSync(helm, [...args, '--values', '-'], {
    input: JSON.stringify(values),
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: '/dev/null' },
  });
  if (status !== 0) throw new Stop(error?.message ?? `${stdout}${stderr}`.trim());
  return stdout;
}

/** The objects of the chart's own values, for those who have no Helm: deploy/kubernetes/rpftrace.yaml. */
export async function renderManifests() {
  const { helm } = await fetchKubernetesTools();
  const objects = renderChart(helm, { values: { createNamespace: true } });
  return MANIFESTS_HEAD + objects.replace(/^# Source: .*\n/gm, '').replace(/^---\n/, '');
}

export const MANIFESTS = join(root, 'deploy', 'kubernetes', 'rpftrace.yaml');

const MANIFESTS_HEAD = `# rpftrace on each node, for those who have no Helm:  kubectl apply -f rpftrace.yaml
#
# Made of deploy/helm/rpftrace and its values.yaml by \`npm run manifests\`: change it there. docs/kubernetes.md explains it.
# The image has to be one that your nodes can pull.
`;
