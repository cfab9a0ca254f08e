import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { fetchKubernetesTools } from '../../scripts/lib/kubernetes-tools.mjs';

it.runIf(process.arch === 'x64')('Helm 4, Helm 3 and kubectl are fetched, and run', async () => {
  const { helm, helm3, kubectl } = await fetchKubernetesTools();
  const version = (program: string, ...words: string[]) =>
    execFileSync(program, ['version', ...words], { encoding: 'utf8' });
  expect(version(helm, '--short')).toMatch(/^v4\./);
  expect(version(helm3, '--short')).toMatch(/^v3\./);
  expect(version(kubectl, '--client')).toContain('Client Version: v1.33.');
});
