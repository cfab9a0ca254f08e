import { expect, it } from 'vitest';
import { BACKEND_NAMES, backendConfig } from '../../src/backends.js';

it('makes one configuration of what can stand together', () => {
  expect(backendConfig([])).toEqual({});
  expect(backendConfig(['kprobe', 'kfree_skb-2', 'probe_read'])).toEqual({
    backend: 'kprobe',
    kfreeSkbArguments: 2,
    probeRead: true,
  });
  expect(backendConfig(['kprobe', 'kprobe'])).toEqual({ backend: 'kprobe' });
});

it.each([
  ['a name that is none', ['kprob'], /no backend kprob; did you mean kprobe/],
  ['two ways to see the same', ['fentry', 'kprobe'], /fentry and kprobe exclude each other/],
  ['two tracepoints', ['kfree_skb-2', 'kfree_skb-3'], /exclude each other/],
])('refuses %s', (_what, names, message) => {
  expect(() => backendConfig(names)).toThrow(message);
});

it('knows only what the addon can be told', () => {
  for (const name of BACKEND_NAMES) expect(Object.keys(backendConfig([name]))).toHaveLength(1);
});
