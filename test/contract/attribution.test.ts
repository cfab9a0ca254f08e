import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as resources from '../../src/attribute/sources/kubernetes/resources.js';
import { KUBERNETES_FLAGS } from '../../src/attribute/sources/kubernetes-options.js';

const doc = readFileSync(new URL('../../docs/attribution.md', import.meta.url), 'utf8');

test('the role in docs/attribution.md allows exactly what is asked for', () => {
  const { podsOf, ...others } = resources;
  const paths = [podsOf('node-1'), ...Object.values(others)].map(({ path }) => path);
  const asked = paths.map((path) => {
    const [, group = '', plural] = /^\/(?:api|apis\/([^/]+))\/v\d\/([^/]+)$/.exec(path) ?? [];
    return `${group || '""'} ${plural}`;
  });
  const role = doc.slice(doc.indexOf('kind: ClusterRole'), doc.indexOf('Bind it to'));
  const granted = [...role.matchAll(/apiGroups: \[(.*)\]\n\s+resources: \[(.*)\]/g)].map(
    ([, group, plural]) => `${group} ${plural}`,
  );
  expect(granted.sort()).toEqual(asked.sort());
});

test('docs/attribution.md names each flag', () => {
  for (const { flags } of KUBERNETES_FLAGS) expect(doc).toContain(flags.split(' ')[0]);
});
