import { expect, it } from 'vitest';
import type { Observer, PodSighting } from '../../../../src/attribute/source.js';
import { PolledSource } from '../../../../src/attribute/sources/polled-source.js';
import { RecordingObserver } from '../../../fixtures/observer.js';
import { OFTEN, started } from '../../../fixtures/polled-source.js';

it('tells what has changed, and after a failure nothing twice', async () => {
  const observer = new RecordingObserver();
  const source = started(new Shelf(), observer);
  source.pods = [{ key: 'a', name: 'web', interfaces: [] }];
  await observer.until(() => observer.calls === 2); // the pod, and that these are all
  expect(observer.named('web')).toBeDefined();
  expect(source.state).toMatchObject({ name: 'kernel', state: 'ok', pods: 1 });
  const calls = observer.calls;

  source.pods = undefined;
  await observer.until(() => source.state.state === 'stale');
  expect(source.state).toMatchObject({ why: 'the shelf is locked', pods: 1 });

  source.pods = [{ key: 'a', name: 'web', interfaces: [] }];
  await observer.until(() => source.state.state === 'ok');
  expect(observer.calls).toBe(calls);
});

it('lets others do their work while it tells of many pods', async () => {
  const observer = new RecordingObserver();
  const source = started(new Shelf(), observer);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  source.pods = Array.from({ length: 20_000 }, (_, i) => ({ key: `${i}`, name: `pod-${i}`, interfaces: [] }));
  await observer.until(() => observer.named('pod-19999') !== undefined);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
});

/** Has the pods that a test puts there; undefined: it fails. */
class Shelf extends PolledSource {
  pods: readonly PodSighting[] | undefined = [];

  constructor() {
    super('kernel', OFTEN);
  }

  protected override async look(_observer: Observer, signal: AbortSignal): Promise<boolean> {
    if (this.pods === undefined) throw new Error('the shelf is locked');
    this.health.ok(this.pods.length);
    return await this.tell(signal, this.pods);
  }
}
