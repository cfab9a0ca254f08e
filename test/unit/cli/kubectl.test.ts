import { describe, expect, test } from 'vitest';
import { attachWords } from '../../../src/cli/kubectl.js';

const words = (text: string) => attachWords(text.split(' '));

describe('kubectl rpftrace', () => {
  test('a pod, in the namespace that is named', async () => {
    expect(await words('db-0 -n shop')).toEqual(['attach', 'k8s:shop/db-0']);
    expect(await words('--namespace=shop db-0:14101')).toEqual(['attach', 'k8s:shop/db-0:14101']);
    expect(await words('pod/db-0 -n shop')).toEqual(['attach', 'k8s:shop/db-0']);
    expect(await words('shop/db-0')).toEqual(['attach', 'k8s:shop/db-0']);
  });

  test('values of options are no pods', async () => {
    expect(await words('-o ndjson --reason IP_RPFILTER -n shop db-0 --context prod --rpf-only')).toEqual([
      ...[
        'attach',
        'k8s:shop/db-0',
        '-o',
        'ndjson',
        '--reason',
        'IP_RPFILTER',
        '--context',
        'prod',
        '--rpf-only',
      ],
    ]);
  });

  test('all nodes: -n and -l say where the agents are', async () => {
    expect(await words('--all-nodes --rpf-only')).toEqual(['attach', '--all-nodes', '--rpf-only']);
    expect(await words('--all-nodes -n monitoring -l app=rpftrace')).toEqual([
      ...['attach', '--all-nodes', '--agents-namespace', 'monitoring', '--agents-selector', 'app=rpftrace'],
    ]);
  });

  test('says what is wrong', async () => {
    await expect(words('--rpf-only')).rejects.toThrow('name a POD, or give --all-nodes');
    await expect(words('--all-nodes db-0')).rejects.toThrow('--all-nodes goes with no POD');
    await expect(words('db-0 -n')).rejects.toThrow('-n needs a value');
    await expect(words('db-0 -l app=x')).rejects.toThrow('-l chooses the agents of --all-nodes');
  });
});
