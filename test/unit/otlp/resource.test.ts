import { afterEach, describe, expect, test, vi } from 'vitest';
import { resourceOf } from '../../../src/otlp/resource.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('OTEL_RESOURCE_ATTRIBUTES', () => {
  test('counts more than what is known here', () => {
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'k8s.cluster.name=east,host.name=other');
    const { attributes, notes } = told();
    expect(attributes).toMatchObject({ 'k8s.cluster.name': 'east', 'host.name': 'other' });
    expect(notes).toEqual([]);
  });

  test.each([undefined, 'drops'])(
    'that is no list is told to be left out, with the name of the service %s',
    (name) => {
      vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'k8s.cluster.name=east,team=a=b');
      vi.stubEnv('OTEL_SERVICE_NAME', name);
      const { attributes, notes } = told();
      expect(attributes).toMatchObject({ 'service.name': name ?? 'rpftrace', 'host.name': 'node-1' });
      expect(attributes).not.toHaveProperty('k8s.cluster.name');
      expect(notes).toEqual([expect.stringContaining('OTEL_RESOURCE_ATTRIBUTES is left out')]);
    },
  );
});

function told() {
  const notes: string[] = [];
  const { attributes } = resourceOf({ node: 'node-1', note: (text) => notes.push(text) });
  return { attributes, notes };
}
