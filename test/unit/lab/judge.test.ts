import { describe, expect, it } from 'vitest';
import type { DropEvent } from '../../../src/events.js';
import type { LabCase, LabDrop } from '../../../src/lab/cases.js';
import { judge } from '../../../src/lab/judge.js';
import type { Provoked } from '../../../src/lab/provoke.js';
import { MODE_ON } from '../../fixtures/mode.js';

const PACKETS = 3;

const strict: LabCase = {
  name: 'strict',
  about: '',
  setup: [],
  provoke: { from: 'pod', kind: 'udp', src: '10.0.0.1', dst: '10.0.0.2' },
  expect: [
    {
      reasons: ['IP_RPFILTER'],
      in: 'node',
      device: 'lxcabcd',
      packet: { protocol: 'udp', src: '10.0.0.1' },
      mode: { all: 1 },
    },
  ],
  reversePathFilter: 1,
  martians: 1,
};

const asExpected: Provoked = {
  sent: { sent: 3, refused: 0, elapsedNs: 1 },
  rise: { reversePathFilter: 3, martians: 3 },
};

function drop(change: Partial<DropEvent> = {}, place: LabDrop['place'] = 'node'): LabDrop {
  const event: DropEvent = {
    v: 1,
    kind: 'drop',
    time: '2026-11-22T09:49:05.123456789Z',
    node: 'test',
    count: 3,
    reason: 'IP_RPFILTER',
    hook: 'tp_btf/kfree_skb',
    packet: { protocol: 'udp', src: '10.0.0.1', dst: '10.0.0.2', length: 46, mark: 0 },
    device: { name: 'lxcabcd', role: 'cilium_lxc' },
    rpf: { mode: MODE_ON },
    ...change,
  };
  return { place, event };
}

describe('judge', () => {
  it('finds nothing where all came, in one event or in several', () => {
    expect(judge(strict, PACKETS, asExpected, [drop()])).toEqual([]);
    expect(judge(strict, PACKETS, asExpected, [drop({ count: 1 }), drop({ count: 2 })])).toEqual([]);
  });

  it.each([
    ['too few', [drop({ count: 2 })]],
    ['too many', [drop({ count: 4 })]],
    ['none', []],
  ])('says how many came: %s', (_words, drops) => {
    expect(judge(strict, PACKETS, asExpected, drops)).toEqual([
      expect.stringMatching(/^expected 3 x IP_RPFILTER on node\/lxcabcd .*; came \d$/),
    ]);
  });

  it.each<[string, LabDrop]>([
    ['reason', drop({ reason: 'NO_SOCKET' })],
    ['device', drop({ device: { name: 'eth0', role: 'veth' } })],
    ['place', drop({}, 'pod')],
    ['packet', drop({ packet: { protocol: 'tcp', src: '10.0.0.1', length: 46, mark: 0 } })],
    ['mode', drop({ rpf: undefined })],
  ])('takes no drop of another %s for it', (_words, other) => {
    expect(judge(strict, PACKETS, asExpected, [other])).toEqual([
      expect.stringMatching(/^expected 3 x .*; came 0$/),
      expect.stringMatching(/^not expected: 3 x /),
    ]);
  });

  it('takes any of the reasons that kernels give, and none where kernels give none', () => {
    const local = {
      ...strict,
      expect: [{ ...strict.expect[0], reasons: ['IP_LOCAL_SOURCE', 'NOT_SPECIFIED'] }],
    };
    for (const reason of ['IP_LOCAL_SOURCE', 'NOT_SPECIFIED', undefined]) {
      expect(judge(local as LabCase, PACKETS, asExpected, [drop({ reason })])).toEqual([]);
    }
  });

  it('holds the kernel’s counters and the receiver against the case', () => {
    const passing: LabCase = { ...strict, expect: [], receive: 'world' };
    const rise = { reversePathFilter: 2, martians: 1 };
    expect(judge(passing, PACKETS, { ...asExpected, received: 2, rise }, [])).toEqual([
      '3 packets were to get through; came 2',
      'IPReversePathFilter was to rise by 3; rose by 2',
      'in_martian_src was to rise by 3 or more; rose by 1',
    ]);
  });
});
