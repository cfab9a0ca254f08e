import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import type { Observer, PodSighting } from '../../../../../src/attribute/source.js';
import { KubernetesSource } from '../../../../../src/attribute/sources/kubernetes/source.js';
import { type KubeApi, PODS } from '../../../../support/kube-api.js';
import { eventually, FAST, pod, putPods, startApi, surroundingsOf } from '../../../../support/kubernetes.js';

const PODS_OF_NODE = 1000;

test('a thousand pods that come and go, with the watch cut now and then, are all told, in bounded memory', {
  timeout: 60_000,
}, async () => {
  const api = await startApi();
  putPods(api, PODS_OF_NODE);
  const known = new Map<string, PodSighting>();
  const source = new KubernetesSource({ peers: false }, { surroundings: surroundingsOf(api), timing: FAST });
  onTestFinished(() => source.stop());
  source.start(observerOf(known));
  await eventually(() => expect(known.size).toBe(PODS_OF_NODE));

  let next = PODS_OF_NODE;
  const churn = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      next = replacePods(api, next, 250);
      if (round % 8 === 3) api.cut();
      if (round % 16 === 11) api.compact();
      await eventually(() => expect(ipsOf(known.values())).toEqual(wanted(next)));
    }
  };
  await churn(16);
  const before = heapBytes();
  await churn(48);
  expect(heapBytes() - before).toBeLessThan(8 << 20);
  expect(source.state.pods).toBe(PODS_OF_NODE);
});

/** The oldest pods go, as many come, with the addresses of those that went. Returns the number of the next. */
function replacePods(api: KubeApi, next: number, count: number): number {
  for (let index = next; index < next + count; index++) {
    api.remove(PODS, `web-${index - PODS_OF_NODE}`, 'shop');
    api.put(PODS, pod(`web-${index}`, ipOf(index)));
  }
  return next + count;
}

function ipOf(index: number): string {
  const place = index % PODS_OF_NODE;
  return `10.244.${place >> 8}.${place & 255}`;
}

/** Who has which address, as text. */
function ipsOf(pods: Iterable<PodSighting>): string[] {
  return [...pods].map(({ name, interfaces }) => `${name} ${interfaces[0]?.ips}`).sort();
}

function wanted(next: number): string[] {
  const indices = Array.from({ length: PODS_OF_NODE }, (_, index) => next - PODS_OF_NODE + index);
  return indices.map((index) => `web-${index} ${ipOf(index)}`).sort();
}

function observerOf(known: Map<string, PodSighting>): Observer {
  return {
    pod: (sighting) => known.set(sighting.key, sighting),
    podGone: (key) => known.delete(key),
    peer: () => {},
    peerGone: () => {},
    node: () => {},
    synced: () => {},
  };
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
