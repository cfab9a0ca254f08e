import { expect, it } from 'vitest';
import type { PodSighting } from '../../../../src/attribute/source.js';
import { PolledSource } from '../../../../src/attribute/sources/polled-source.js';
import { RecordingObserver } from '../../../fixtures/observer.js';
import { OFTEN, started } from '../../../fixtures/polled-source.js';

it('tells what has changed, and after a failure nothing twice', async () => {
  const observer = new RecordingObserver();
  const source = started(new Shelf(), observer);
  source.pods = [{ key: 'a', name: 'web', interfaces: [] }];
  await observer.until(() => observer.named('web') !== undefined);
  expect(source.state).toMatchObject({ name: 'kernel', state: 'ok', pods: 1 });
  const calls = observer.calls;

  source.pods = undefined;
  await observer.until(() => source.state.state === 'stale');
  expect(source.state).toMatchObject({ why: 'the shelf is locked', pods: 1 });

  source.pods = [{ key: 'a', name: 'web', interfaces: [] }];
  await observer.until(() => source.state.state === 'ok');
  expect(observer.calls).toBe(calls);
});

/** Has the pods that a test puts there; undefined: it fails. */
class Shelf extends PolledSource {
  pods: readonly PodSighting[] | undefined = [];

  constructor() {
    super('kernel', OFTEN);
  }

  protected override async look(): Promise<boolean> {
    if (this.pods === undefined) throw new Error('the shelf is locked');
    const changed = this.tell(this.pods);
    this.health.ok(this.pods.length);
    return changed;
  }
}
