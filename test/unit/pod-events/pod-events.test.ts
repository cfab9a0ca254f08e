import { describe, expect, onTestFinished, test } from 'vitest';
import type { Incident } from '../../../src/incident/incident.js';
import { Allowance } from '../../../src/pod-events/allowance.js';
import { PodEvents } from '../../../src/pod-events/pod-events.js';
import type { Flow } from '../../../src/sink/sink.js';
import { incidentOf } from '../../fixtures/event.js';
import { countedFlow, dropOf } from '../../fixtures/flow.js';
import { EVENTS, type KubeApi, sendStatus } from '../../support/kube-api.js';
import { eventually, FAST, startApi, surroundingsOf } from '../../support/kubernetes.js';

describe('PodEvents', () => {
  test('tell the cause to each pod of an incident once, with what kubectl describe asks for', async () => {
    const { api, events } = await start();
    events.drop(dropOf(1), flowOf('db-0'));
    events.event(incidentOf({}));
    events.drop(dropOf(1), flowOf('db-0'));
    events.drop(dropOf(1), flowOf('web-0'));
    events.event(incidentOf({ state: 'update', drops: 3 }));
    await eventually(() => expect(events.written).toBe(2));
    const [first, second] = api.created(EVENTS);
    expect(first).toMatchObject({
      metadata: { namespace: 'shop' },
      involvedObject: { kind: 'Pod', namespace: 'shop', name: 'db-0', uid: 'uid-db-0' },
      reason: 'SettingDropsPackets',
      type: 'Warning',
      message: 'tuned set rp_filter',
      source: { component: 'rpftrace', host: 'n' },
      count: 1,
    });
    expect(second).toMatchObject({ involvedObject: { name: 'web-0' } });
  });

  test('another incident is told anew, and a pod that took the name of another one too', async () => {
    const { api, events } = await start();
    events.event(incidentOf({}));
    events.event(incidentOf({ id: 'i-2' }));
    events.drop(dropOf(1), flowOf('db-0'));
    events.drop(dropOf(1), flowOf('db-0', { incident: SECOND }));
    events.drop(dropOf(1), flowOf('db-0', { uid: 'another' }));
    await eventually(() => expect(events.written).toBe(3));
    expect(new Set(api.created(EVENTS).map(({ metadata }) => metadata.name)).size).toBe(3);
  });

  test('a pod without uid and a drop without incident make none', async () => {
    const { api, events } = await start();
    events.event(incidentOf({}));
    events.drop(dropOf(1), countedFlow({ pod: 'db-0' }));
    events.drop(dropOf(1), { ...countedFlow({ pod: 'db-0' }), incident: FIRST });
    events.drop(dropOf(1), flowOf('web-0'));
    await eventually(() => expect(events.written).toBe(1));
    expect(api.created(EVENTS)).toHaveLength(1);
  });

  test('no more than the allowance go out, and what waits too long is counted', async () => {
    const { api, events, notes } = await start({ allowance: new Allowance(3, 3_600_000) });
    events.event(incidentOf({}));
    for (let pod = 0; pod < 600; pod++) events.drop(dropOf(1), flowOf(`p-${pod}`));
    await eventually(() => expect(events.written).toBe(3));
    await Promise.all([events.end(), events.end()]); // as where it fails while it ends
    expect(events.lost).toBe(597);
    expect(api.created(EVENTS)).toHaveLength(3);
    expect(notes).toEqual(['597 events for pods did not reach Kubernetes']);
  });

  test('what is not allowed is told once, with what to grant', async () => {
    const { api, events, notes } = await start();
    api.forbidden.add(EVENTS);
    events.event(incidentOf({}));
    events.drop(dropOf(1), flowOf('db-0'));
    events.drop(dropOf(1), flowOf('web-0'));
    await eventually(() => expect(events.lost).toBe(2));
    expect(notes).toEqual(['no events for pods: not allowed (403): grant create events in all namespaces']);
  });

  test('a server that refuses what it has taken before is asked again: it has not read its rules yet', async () => {
    const { api, events } = await start();
    events.event(incidentOf({}));
    events.drop(dropOf(1), flowOf('db-0'));
    await eventually(() => expect(events.written).toBe(1));
    let refused = 0;
    api.faults.push((request, response) => {
      if (request.method !== 'POST' || refused++ > 1) return false;
      sendStatus(response, 403, 'Forbidden');
      return true;
    });
    events.drop(dropOf(1), flowOf('web-0'));
    await eventually(() => expect(events.written).toBe(2));
    expect(events.lost).toBe(0);
  });

  test('one that begins after it was away long, too', async () => {
    const { api, events } = await start();
    events.event(incidentOf({}));
    events.drop(dropOf(1), flowOf('db-0'));
    await eventually(() => expect(events.written).toBe(1));
    let tries = 0;
    api.faults.push((request, response) => {
      if (request.method !== 'POST' || tries++ > 9) return false;
      if (tries <= 8) response.destroy();
      else sendStatus(response, 403, 'Forbidden');
      return true;
    });
    events.drop(dropOf(1), flowOf('web-0'));
    await eventually(() => expect(events.written + events.lost).toBe(2));
    expect([events.written, events.lost]).toEqual([2, 0]);
  });

  test('a namespace that takes none keeps the others waiting once', async () => {
    const { api, events } = await start();
    let refused = 0;
    api.faults.push((request, response) => {
      if (request.method !== 'POST' || !request.path.includes('/namespaces/ending/')) return false;
      refused++;
      sendStatus(response, 403, 'Forbidden');
      return true;
    });
    events.event(incidentOf({}));
    events.drop(dropOf(1), flowOf('db-0'));
    for (const pod of ['a', 'b', 'c']) events.drop(dropOf(1), flowOf(pod, { namespace: 'ending' }));
    events.drop(dropOf(1), flowOf('web-0'));
    await eventually(() => expect(events.written).toBe(2));
    expect([events.lost, refused]).toEqual([3, 5 + 1 + 1]);
  });

  test('a server that is busy is asked again; an answer that was lost makes no second event', async () => {
    const { api, events } = await start();
    let tries = 0;
    api.faults.push((request, response) => {
      if (request.method !== 'POST' || tries++ > 0) return false;
      sendStatus(response, 503, 'ServiceUnavailable');
      return true;
    });
    events.event(incidentOf({}));
    events.drop(dropOf(1), flowOf('db-0'));
    await eventually(() => expect(events.written).toBe(1));
    expect(tries).toBe(2);
  });

  test('a server that is away is waited for, and gets them all when it is back; what goes wrong is told once', async () => {
    const { api, events, notes } = await start();
    let isAway = true;
    let tries = 0;
    api.faults.push((_request, response) => {
      if (isAway) response.destroy();
      if (isAway) tries++;
      return isAway;
    });
    events.event(incidentOf({}));
    for (let pod = 0; pod < 3; pod++) events.drop(dropOf(1), flowOf(`p-${pod}`));
    await eventually(() => expect(tries).toBeGreaterThan(8));
    expect([events.lost, events.failure]).toEqual([0, expect.stringContaining('the connection')]);
    isAway = false;
    await eventually(() => expect(events.written).toBe(3));
    expect(api.created(EVENTS)).toHaveLength(3);
    expect([events.lost, events.failure, notes.length]).toEqual([0, undefined, 1]);
  });

  test('a sentence of any length fits', async () => {
    const { api, events } = await start();
    events.event(incidentOf({ summary: `${'ä'.repeat(2000)}\x1b[31m` }));
    events.drop(dropOf(1), flowOf('db-0'));
    await eventually(() => expect(events.written).toBe(1));
    const message = String(api.created(EVENTS)[0]?.message);
    expect(message).toMatch(/^ä+…$/);
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1024);
  });
});

async function start({ allowance }: { allowance?: Allowance } = {}): Promise<Started> {
  const api = await startApi();
  api.collections.add(EVENTS);
  const notes: string[] = [];
  const events = new PodEvents({
    kubernetes: {},
    note: (text) => notes.push(text),
    ...{ surroundings: surroundingsOf(api), timing: FAST },
    ...(allowance && { allowance }),
  });
  onTestFinished(() => events.end());
  return { api, events, notes };
}

interface Started {
  api: KubeApi;
  events: PodEvents;
  notes: string[];
}

const FIRST = { id: 'i-1' } as Incident;
const SECOND = { id: 'i-2' } as Incident;

function flowOf(pod: string, { incident = FIRST, uid = `uid-${pod}`, namespace = 'shop' } = {}): Flow {
  return {
    ...countedFlow({}),
    incident,
    attribution: { pod: { namespace, name: pod, uid, source: 'kubernetes' } },
  };
}
