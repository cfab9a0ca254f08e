import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Arming } from '../../../src/explain/arming.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What was asked of the kernel, and for how long in all. */
class Hook {
  on = false;
  watchedMs = 0;
  calls = 0;
  #sinceMs = 0;
  readonly arming = new Arming({ watch: (on) => this.#watch(on), now: Date.now });

  #watch(on: boolean): void {
    this.calls++;
    if (this.on && !on) this.watchedMs += Date.now() - this.#sinceMs;
    if (!this.on && on) this.#sinceMs = Date.now();
    this.on = on;
  }
}

describe('the kernel’s lookups are watched', () => {
  it('from the first drop on, and no more when drops stop', () => {
    const hook = new Hook();
    hook.arming.want();
    expect(hook.on).toBe(true);
    vi.advanceTimersByTime(4000);
    expect(hook).toMatchObject({ on: false, calls: 2 });
  });

  it('for some seconds at a time, a tenth of the time at most, however long drops go on', () => {
    const hook = new Hook();
    for (let second = 0; second < 1000; second++) {
      hook.arming.want();
      vi.advanceTimersByTime(1000);
    }
    expect(hook.watchedMs).toBeGreaterThan(80_000);
    expect(hook.watchedMs).toBeLessThanOrEqual(105_000);
  });

  it('no longer than until one was seen', () => {
    const hook = new Hook();
    hook.arming.want();
    vi.advanceTimersByTime(50);
    hook.arming.seen();
    vi.advanceTimersByTime(150);
    expect(hook.on).toBe(false);
    expect(hook.watchedMs).toBeLessThanOrEqual(200);
  });

  it('again for the next drops', () => {
    const hook = new Hook();
    hook.arming.want();
    vi.advanceTimersByTime(60_000);
    hook.arming.want();
    expect(hook.on).toBe(true);
  });

  it('not at all after the end', () => {
    const hook = new Hook();
    hook.arming.want();
    hook.arming.stop();
    expect(hook.on).toBe(false);
    hook.arming.want();
    expect(hook.on).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('not where it cannot be done: it is tried once', () => {
    let tries = 0;
    const watch = () => {
      tries++;
      throw new Error('EPERM');
    };
    const arming = new Arming({ watch, now: Date.now });
    arming.want();
    vi.advanceTimersByTime(600_000);
    arming.want();
    expect(tries).toBe(1);
  });
});
