import { describe, expect, it } from 'vitest';
import type { ReverseRoute } from '../../../../src/explain/check.js';
import { type Case, judge } from '../../../../src/explain/netfilter/judge.js';
import { FIELD, readRule } from '../../../../src/explain/netfilter/rule.js';
import type { Outcome } from '../../../../src/explain/netfilter/suspects.js';
import type { NativeRule } from '../../../../src/native.js';
import { CHECK, KIND, makePlain, makeRule, VERDICT } from '../../../fixtures/rules.js';

const LOST: ReverseRoute = { kind: 'failed', lookup: 'none', certain: true };
const DOUBTED: ReverseRoute = { kind: 'failed', lookup: 'none', certain: false, uncertain: 'there are VRFs' };
const UNKNOWN: ReverseRoute = { kind: 'unknown', why: 'too many' };

interface Given {
  readonly outcome?: Outcome;
  readonly route?: ReverseRoute;
  readonly isCut?: boolean;
  readonly differing?: Partial<Case>;
}

function judgeRules(natives: readonly NativeRule[], given: Given = {}) {
  const { outcome = 'refused', route = LOST, isCut = false, differing = {} } = given;
  const rules = natives.map(readRule);
  const hasCheck = rules.some(({ check }) => check !== undefined);
  return judge(
    { kind: 'read', rules, isCut, hasCheck, readNs: 0n },
    {
      fields: new Map([[FIELD.MARK, Uint8Array.of(0, 2, 0, 0)]]),
      hooks: new Set(['ingress', 'prerouting']),
      isSure: true,
      doubt: undefined,
      mayBe: () => true,
      outcomeOf: () => outcome,
      routeOf: () => route,
      countsAreFresh: true,
      ...differing,
    },
  );
}

function confidenceOf(natives: readonly NativeRule[], given: Given = {}) {
  const judgement = judgeRules(natives, given);
  return judgement.kind === 'check' ? judgement.confidence : judgement.kind;
}

describe('a rule that checks the reverse path and refuses', () => {
  it('is certain to have dropped where nothing else can have', () => {
    expect(confidenceOf([makeRule()])).toBe('certain');
    expect(confidenceOf([makeRule(), makePlain()])).toBe('certain');
    expect(confidenceOf([makeRule(), makePlain({ base: 1, chain: 'other' })])).toBe('certain');
  });

  it('is likely where another may have dropped before', () => {
    const before = makePlain({ more: true });
    expect(judgeRules([before, makeRule()])).toMatchObject({
      confidence: 'likely',
      why: expect.stringContaining('filter lab'),
    });
    expect(confidenceOf([before, makeRule({ more: true })])).toBe('possible');
  });

  it('is likely where the packet may have passed it by', () => {
    const accepted = makePlain({ verdict: VERDICT.ACCEPT, more: true });
    expect(confidenceOf([accepted, makeRule()])).toBe('likely');
    expect(confidenceOf([accepted, makeRule(), makePlain()])).toBe('possible');
    const returned = makePlain({ verdict: VERDICT.RETURN, more: true });
    expect(confidenceOf([returned, makeRule()])).toBe('likely');
    expect(confidenceOf([{ ...returned, chain: 'another' }, makeRule()])).toBe('certain');
  });

  it('is likely where the way back is not certain, or not known', () => {
    expect(judgeRules([makeRule()], { route: DOUBTED })).toMatchObject({
      confidence: 'likely',
      why: expect.stringContaining('VRFs'),
    });
    expect(confidenceOf([makeRule()], { outcome: 'unknown', route: UNKNOWN })).toBe('likely');
    expect(confidenceOf([makeRule(), makePlain()], { outcome: 'unknown', route: UNKNOWN })).toBe('possible');
  });

  it('is likely where nobody tells in which hook the packet died', () => {
    const differing = { isSure: false, doubt: 'in which hook is not known' };
    expect(judgeRules([makeRule()], { differing })).toMatchObject({
      confidence: 'likely',
      why: 'in which hook is not known',
    });
  });

  it('has a part in it where what comes behind it drops what it did not let pass', () => {
    const pass = makeRule({ check: CHECK.ACCEPTED, verdict: VERDICT.ACCEPT });
    const policy = makePlain({ isPolicy: true, number: 0, handle: 0 });
    expect(judgeRules([pass, policy])).toMatchObject({
      confidence: 'certain',
      suspect: { check: { native: pass }, drop: { native: policy } },
    });
  });

  it('is found where others have counted nothing since, and where somebody set the counters to 0', () => {
    const before = makePlain({ more: true, packets: 0 });
    expect(confidenceOf([before, makeRule({ packets: 3 })])).toBe('certain');
    expect(confidenceOf([before, makeRule({ packets: 3 })], { differing: { countsAreFresh: false } })).toBe(
      'likely',
    );
    expect(confidenceOf([makeRule({ packets: 0 })])).toBe('certain');
  });

  it('is not looked for among rules of a kind that did not drop it', () => {
    const legacy = makeRule({ kind: KIND.LEGACY });
    const differing = { mayBe: (kind: string) => kind !== 'iptables_legacy' };
    expect(confidenceOf([legacy, makePlain()], { differing })).toBe('other');
  });
});

describe('another rule', () => {
  it('dropped it where the check lets the packet pass', () => {
    expect(judgeRules([makeRule(), makePlain()], { outcome: 'accepted' })).toMatchObject({
      kind: 'other',
      passed: { native: { handle: 4 } },
    });
  });

  it('dropped it where the check is for other packets', () => {
    const mark = { field: FIELD.MARK, negate: false, value: [0, 4, 0, 0], mask: [0, 0xff, 0, 0] };
    expect(confidenceOf([makeRule({ conditions: [mark] }), makePlain()])).toBe('other');
    const same = { ...mark, value: [0, 2, 0, 0] };
    expect(confidenceOf([makeRule({ conditions: [same] }), makePlain()])).toBe('certain');
    expect(confidenceOf([makeRule({ conditions: [{ ...same, negate: true }] }), makePlain()])).toBe('other');
  });

  it('dropped it where it comes first', () => {
    expect(confidenceOf([makePlain(), makeRule()])).toBe('other');
  });
});

describe('nothing is guessed', () => {
  it('where no rule that is there drops the packet', () => {
    expect(judgeRules([makeRule()], { outcome: 'accepted' })).toMatchObject({
      kind: 'unknown',
      why: expect.stringContaining('none that is there now drops it'),
    });
  });

  it('where there are more rules than could be read', () => {
    expect(
      judgeRules([makeRule(), makePlain({ more: true })], { outcome: 'accepted', isCut: true }),
    ).toMatchObject({ kind: 'unknown', why: expect.stringContaining('more rules') });
    expect(confidenceOf([makeRule()], { isCut: true })).toBe('certain');
  });
});
