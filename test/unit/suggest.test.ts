import { expect, test } from 'vitest';
import { didYouMean, suggest } from '../../src/suggest.js';

const REASONS = ['IP_RPFILTER', 'IP_LOCAL_SOURCE', 'NO_SOCKET', 'NETFILTER_DROP', 'TCP_CSUM', 'UDP_CSUM'];

test.each([
  ['ip_rpfiltr', ['IP_RPFILTER']],
  ['NO_SOKCET', ['NO_SOCKET']],
  ['CSUM', ['TCP_CSUM', 'UDP_CSUM']],
  ['RPFILTER', ['IP_RPFILTER']],
  ['XYZ', []],
])('%s may mean %j', (word, meant) => {
  expect(suggest(word, REASONS).sort()).toEqual(meant);
});

test('at most three, the closest first', () => {
  expect(suggest('eth1', ['eth0', 'eth2', 'eth3', 'eth1x', 'lo'])).toHaveLength(3);
});

test('says nothing when nothing is close', () => {
  expect(didYouMean('zzz', REASONS)).toBe('');
  expect(didYouMean('no_soket', REASONS)).toBe('; did you mean NO_SOCKET?');
});
