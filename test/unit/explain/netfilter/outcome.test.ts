import { describe, expect, it } from 'vitest';
import type { FoundRoute, ReverseRoute } from '../../../../src/explain/check.js';
import { outcomeOf } from '../../../../src/explain/netfilter/outcome.js';
import { type Check, describeRule, readRule } from '../../../../src/explain/netfilter/rule.js';
import { CHECK, KIND, makeRule, VERDICT } from '../../../fixtures/rules.js';

const packet = { src: '10.0.0.1', dst: '203.0.113.9', ifindex: 12, isLoopback: false };
const packet6 = { ...packet, src: 'fd00::1', dst: 'fd00:203::9' };
const route: FoundRoute = { kind: 'found', type: 'unicast', hops: [4], certain: true };
const here: FoundRoute = { ...route, hops: [4, 12] };
const local: FoundRoute = { ...here, type: 'local' };

function check(bits: number): Check {
  return readRule(makeRule({ check: CHECK.REFUSED | bits })).check as Check;
}

describe.each([
  ['fib', 0],
  ['rpfilter', CHECK.XT],
])('what %s makes of a packet', (_, bits) => {
  const strict = check(bits);
  const loose = check(bits | CHECK.LOOSE);

  it('strict: one of the next hops has to be the device', () => {
    expect(outcomeOf(strict, packet, route)).toBe('refused');
    expect(outcomeOf(strict, packet, here)).toBe('accepted');
    expect(outcomeOf(strict, packet6, route)).toBe('refused');
    expect(outcomeOf(strict, packet6, here)).toBe('accepted');
  });

  it('loose: any way back will do', () => {
    const failed: ReverseRoute = { kind: 'failed', lookup: 'none', certain: true };
    expect(outcomeOf(loose, packet, route)).toBe('accepted');
    expect(outcomeOf(loose, packet, failed)).toBe('refused');
  });

  it('an address of this machine is refused in any mode', () => {
    for (const one of [packet, packet6]) {
      expect(outcomeOf(strict, one, local)).toBe('refused');
      expect(outcomeOf(loose, one, local)).toBe('refused');
    }
  });

  it('what is not known is not guessed, and loopback passes', () => {
    expect(outcomeOf(strict, packet, { kind: 'unknown', why: 'x' })).toBe('unknown');
    expect(outcomeOf(strict, { ...packet, isLoopback: true }, route)).toBe('accepted');
  });

  it('a machine without an address may ask for one', () => {
    const dhcp = { ...packet, src: '0.0.0.0', dst: '255.255.255.255' };
    expect(outcomeOf(strict, dhcp, route)).toBe('accepted');
  });
});

it('only rpfilter can be told to accept addresses of this machine, and refuses broadcast', () => {
  const accepting = check(CHECK.XT | CHECK.ACCEPT_LOCAL);
  expect(outcomeOf(accepting, packet, local)).toBe('accepted');
  expect(outcomeOf(accepting, packet, { ...local, hops: [1] })).toBe('refused');
  expect(outcomeOf(check(CHECK.XT), packet, { ...here, type: 'broadcast' })).toBe('refused');
  expect(outcomeOf(check(0), packet, { ...here, type: 'broadcast' })).toBe('accepted');
});

describe('a rule in words', () => {
  const device = { field: 1, negate: false, value: [108, 120, 99], mask: [255, 255, 255] };
  const whole = {
    ...device,
    value: [...device.value, ...new Array(13).fill(0)],
    mask: new Array(16).fill(255),
  };
  const mark = { field: 3, negate: true, value: [0, 0, 4, 0], mask: [0, 0, 4, 0] };

  it.each([
    [makeRule(), 'fib saddr . iif oif missing drop'],
    [makeRule({ conditions: [device] }), 'iifname "lxc*" fib saddr . iif oif missing drop'],
    [makeRule({ conditions: [whole] }), 'iifname "lxc" fib saddr . iif oif missing drop'],
    [makeRule({ conditions: [mark] }), 'meta mark & 0x40000 != 0x40000 fib saddr . iif oif missing drop'],
    [makeRule({ more: true }), '... fib saddr . iif oif missing drop'],
    [makeRule({ via: 'refuse' }), 'fib saddr . iif oif missing jump refuse'],
    [
      makeRule({ check: CHECK.ACCEPTED | CHECK.LOOSE | CHECK.MARK, verdict: VERDICT.ACCEPT }),
      'fib saddr . mark oif exists accept',
    ],
    [
      makeRule({
        kind: KIND.LEGACY,
        check: CHECK.REFUSED | CHECK.XT | CHECK.LOOSE | CHECK.MARK | CHECK.ACCEPT_LOCAL,
        conditions: [mark],
      }),
      '-m mark ! --mark 0x40000/0x40000 -m rpfilter --loose --validmark --accept-local --invert -j DROP',
    ],
    [
      makeRule({ kind: KIND.IPTABLES_NFT, check: CHECK.ACCEPTED | CHECK.XT, verdict: VERDICT.RETURN }),
      '-m rpfilter -j RETURN',
    ],
  ])('%#: %s', (native, text) => {
    expect(describeRule(readRule(native)).text).toBe(text);
  });

  it('leaves out the conditions of the jumps that lead to it', () => {
    const rule = makeRule({ conditions: [device, mark], ownFrom: 1, ownTo: 2 });
    expect(describeRule(readRule(rule)).text).not.toContain('iifname');
  });
});
