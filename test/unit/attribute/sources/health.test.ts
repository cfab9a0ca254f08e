import { expect, it } from 'vitest';
import { Health } from '../../../../src/attribute/sources/health.js';

it('is connecting until anything is known, and has no age', () => {
  expect(new Health('cri').state).toEqual({ name: 'cri', state: 'connecting' });
});

it('is failed or absent as long as there was no usable answer', () => {
  const health = new Health('cri');
  health.lookingAt('/run/x.sock');
  health.failed('nobody listens');
  expect(health.state).toEqual({ name: 'cri', state: 'failed', at: '/run/x.sock', why: 'nobody listens' });
  health.absent('it is gone');
  expect(health.state).toMatchObject({ state: 'absent', why: 'it is gone' });
});

it.each(['failed', 'absent'] as const)(
  'is stale, with the age of the answer, when it is %s after one',
  (way) => {
    const health = new Health('cri');
    health.ok(3, 'one is left out');
    expect(health.state).toMatchObject({ state: 'ok', pods: 3, why: 'one is left out' });
    health[way]('why');
    expect(health.state).toMatchObject({ state: 'stale', pods: 3, why: 'why', ageMs: expect.any(Number) });
    health.ok(2);
    expect(health.state).toMatchObject({ state: 'ok', pods: 2 });
    expect(health.state.why).toBeUndefined();
  },
);
