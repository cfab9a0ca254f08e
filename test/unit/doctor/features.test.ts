import { describe, expect, it } from 'vitest';
import { describeFeatures, type FeatureFacts } from '../../../src/doctor/features.js';
import type { Feature } from '../../../src/doctor/report.js';
import type { NativeTrial } from '../../../src/native.js';

const WORKS: FeatureFacts = {
  trials: ['btf', 'tp_btf/kfree_skb', 'ringbuf', 'bpf_rdonly_cast', 'cgroup/sysctl', 'netlink'].map(
    (name) => ({
      name,
      errno: 0,
      detail: 4,
      step: '',
    }),
  ),
  cgroupRoot: { path: '/sys/fs/cgroup', isWhole: true },
  reasons: new Set(['IP_RPFILTER', 'IP_LOCAL_SOURCE']),
  namespaces: { found: 3, entered: 3 },
  processes: { seen: 9, readable: 9 },
};

describe('what is told of a feature', () => {
  it('is its form where it works, and no cost', () => {
    const features = describeFeatures(WORKS);
    expect(features.filter(({ state, cost, why }) => state !== 'available' || cost || why)).toEqual([]);
    expect(find(features, 'tp_btf/kfree_skb').detail).toBe('4 arguments');
    expect(find(features, 'cgroup/sysctl').detail).toBe('at /sys/fs/cgroup');
  });

  it('is what failed, why, and what that costs', () => {
    const trials = WORKS.trials.map((trial) => ({ ...trial, errno: -1, step: 'load' as const }));
    for (const feature of describeFeatures({ ...WORKS, trials }).slice(0, trials.length)) {
      expect(feature).toMatchObject({ state: 'unavailable', why: 'loading it: operation not permitted' });
      expect(feature.cost).toMatch(/\S/);
    }
  });

  it.each<[string, Partial<FeatureFacts>, string, string]>([
    [
      'a container’s own part of the cgroups',
      { cgroupRoot: { path: '/c', isWhole: false } },
      'cgroup/sysctl',
      'container',
    ],
    [
      'a tracepoint without reason',
      { trials: [{ name: 'tp_btf/kfree_skb', errno: 0, detail: 2, step: '' }] },
      'tp_btf/kfree_skb',
      'settings',
    ],
    ['one reason for refused sources', { reasons: new Set(['IP_RPFILTER']) }, 'drop reasons', 'settings'],
    ['namespaces that are closed', { namespaces: { found: 3, entered: 1 } }, 'network namespaces', 'devices'],
    ['processes that are closed', { processes: { seen: 9, readable: 1 } }, 'programs of processes', 'writes'],
  ])('is that it is there in part: %s', (_what, facts, name, cost) => {
    const feature = find(describeFeatures({ ...WORKS, ...facts }), name);
    expect(feature.state).toBe('partial');
    expect(feature.cost).toContain(cost);
  });

  it('of missing reasons is what makes good for them: the kernel’s counter, else a hook', () => {
    const hooks = ['fexit/ip_route_input_noref', 'counter/IPReversePathFilter'].map((name) => ({
      name,
      errno: 0,
      detail: 0,
      step: '' as const,
    }));
    const costWith = (trials: readonly NativeTrial[]) =>
      find(
        describeFeatures({ ...WORKS, reasons: new Set(), trials: [...WORKS.trials, ...trials] }),
        'drop reasons',
      ).cost;
    expect(costWith([])).toContain('settings and routes alone');
    expect(costWith(hooks.slice(0, 1))).toContain('by fexit/ip_route_input_noref');
    expect(costWith(hooks)).toContain('by counter/IPReversePathFilter');
  });

  it('is that nothing needs it, where that is so', () => {
    const refused = [
      'counter/IPReversePathFilter',
      'kprobe/ip_handle_martian_source',
      'bpf_probe_read_kernel',
    ].map((name) => ({ name, errno: -1, detail: 0, step: 'load' as const }));
    const features = describeFeatures({ ...WORKS, trials: [...WORKS.trials, ...refused] });
    expect(
      features
        .filter(({ unused }) => unused)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(refused.map(({ name }) => name).sort());
    const old = describeFeatures({ ...WORKS, reasons: new Set(), trials: refused });
    expect(find(old, 'counter/IPReversePathFilter').unused).toBe(undefined);
  });

  it('is none where another hook sees the same', () => {
    const names = ['fentry/ip_handle_martian_source', 'kprobe/ip_handle_martian_source'];
    const [fentry, kprobe] = names.map((name, errno) => ({
      name,
      errno: errno - 1,
      detail: 0,
      step: 'load' as const,
    })) as [NativeTrial, NativeTrial];
    const features = describeFeatures({ ...WORKS, trials: [...WORKS.trials, fentry, kprobe] });
    expect(names.map((name) => find(features, name).unused)).toEqual([true, undefined]);
  });

  it('is that there are no reasons, and no processes', () => {
    const features = describeFeatures({ ...WORKS, reasons: new Set(), processes: { seen: 0, readable: 0 } });
    expect(find(features, 'drop reasons').state).toBe('unavailable');
    expect(find(features, 'programs of processes').state).toBe('unavailable');
  });
});

function find(features: readonly Feature[], name: string): Feature {
  return features.find((feature) => feature.name === name) as Feature;
}
