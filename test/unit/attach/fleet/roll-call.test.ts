import { expect, test } from 'vitest';
import { Member } from '../../../../src/attach/fleet/member.js';
import { whyOf } from '../../../../src/attach/fleet/roll-call.js';
import { openApi } from '../../../../src/attach/kubernetes/api.js';
import { podPlace } from '../../../../src/attach/kubernetes/pod-place.js';
import type { Place } from '../../../../src/attach/place.js';
import { unixPlace } from '../../../../src/attach/sockets.js';
import { FAST, kubeconfigOf, startApi } from '../../../support/kubernetes.js';

test('why a pod is silent stands without its name and its cluster, which are told beside it', async () => {
  const api = await openApi({ kubeconfig: kubeconfigOf(await startApi()) }, undefined, { timing: FAST });
  const pod = { namespace: 'shop', pod: 'rpftrace-1', port: 14_100 };
  expect(await silenceOf(podPlace(api, pod, { token: () => undefined }))).toBe(
    'there is no pod rpftrace-1 in namespace shop',
  );
});

test('why a socket is silent stands without its name', async () => {
  expect(await silenceOf(unixPlace('/nowhere/x.sock'))).toBe('there is no such socket');
});

/** Of a place that is followed until it turns out that it cannot be. */
async function silenceOf(place: Place): Promise<string> {
  let member: Member | undefined;
  const silent = new Promise<void>((resolve) => {
    member = new Member({
      ...{ place, question: { filters: {}, follow: true }, isCatchingUp: false },
      listener: {
        event: () => ({ keyMs: 0, isLate: false, aheadMs: 0 }),
        changed: ({ state }) => state.kind === 'silent' && resolve(),
        portion: () => undefined,
      },
    });
  });
  void member?.run();
  await silent;
  const why = member ? whyOf(member) : '';
  member?.stop();
  return why;
}
