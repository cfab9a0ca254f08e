import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root, runQuietly, Stop } from './command.mjs';

export const CHART = join(root, 'deploy', 'helm', 'rpftrace');

/**
 * What `helm template` makes of the chart: the objects as YAML, and the notes. Throws Stop with the chart's own words where it
 * does not take the values.
 */
export function renderChart({ values = {}, release = 'rpftrace', namespace = 'rpftrace', kubernetes } = {}) {
  const args = [CHART, release, namespace, kubernetes ?? 'v1.33.0'];
  const { status, stdout, stderr } = spawnSync(renderer(), args, {
    input: JSON.stringify(values),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Stop(stderr.trim());
  const [objects = '', notes = ''] = stdout.split('---\n# Source: NOTES.txt\n');
  return { objects, notes };
}

/** The objects of the chart's own values, for those who have no Helm: deploy/kubernetes/rpftrace.yaml. */
export function renderManifests() {
  const { objects } = renderChart({ values: { createNamespace: true } });
  return MANIFESTS_HEAD + objects.replace(/^# Source: .*\n/gm, '').replace(/^---\n/, '');
}

export const MANIFESTS = join(root, 'deploy', 'kubernetes', 'rpftrace.yaml');

const MANIFESTS_HEAD = `# rpftrace on each node, for those who have no Helm:  kubectl apply -f rpftrace.yaml
#
# Made of deploy/helm/rpftrace and its values.yaml by \`npm run manifests\`: change it there. docs/kubernetes.md explains it.
# The image has to be one that your nodes can pull.
`;

/** Compiled anew where its source is newer. Two that do so at a time do not get in each other's way. */
function renderer() {
  const source = join(root, 'scripts', 'chart', 'render.go');
  const program = join(root, 'build', 'chart', 'render');
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  mkdirSync(join(root, 'build', 'chart'), { recursive: true });
  const scratch = mkdtempSync(join(root, 'build', 'chart', 'build-'));
  try {
    const made = join(scratch, 'render');
    runQuietly('go', ['build', '-o', made, source], {
      GO111MODULE: 'off', // Debian's packages are found by GOPATH
      GOPATH: '/usr/share/gocode',
      GOCACHE: join(scratch, 'cache'),
      GOTOOLCHAIN: 'local',
    });
    renameSync(made, program);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return program;
}
