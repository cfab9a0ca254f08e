import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Access } from '../../../../src/serve/http/access.js';

describe('without a token', () => {
  test.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])('%s may ask', (remoteAddress) => {
    expect(new Access(undefined).check(visitor(remoteAddress))).toBeUndefined();
  });

  test.each(['10.0.0.1', '::ffff:10.0.0.1', 'fe80::1', '::', undefined])(
    '%s may not ask, whatever Host it names',
    (remoteAddress) => {
      const access = new Access(undefined);
      expect(access.check(visitor(remoteAddress))?.status).toBe(403);
      expect(access.refused).toBe(1);
    },
  );
});

describe('with a token', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  test('ten wrong ones within a minute shut their address out for a minute, and no other', () => {
    const access = new Access(TOKEN);
    for (let tries = 0; tries < 10; tries++) {
      expect(access.check(visitor('10.0.0.1', 'wrong'))?.status).toBe(401);
      vi.advanceTimersByTime(5000);
    }
    expect(access.check(visitor('10.0.0.1', TOKEN))?.status).toBe(429);
    expect(access.check(visitor('10.0.0.2', TOKEN))).toBeUndefined();
    vi.advanceTimersByTime(55_000);
    expect(access.check(visitor('10.0.0.1', TOKEN))).toBeUndefined();
  });

  test('one that is wrong each time that it asks, twice a minute, shuts nobody out', () => {
    const access = new Access(TOKEN);
    for (let tries = 0; tries < 100; tries++) {
      expect(access.check(visitor('10.0.0.1', 'wrong'))?.status).toBe(401);
      expect(access.check(visitor('10.0.0.1', TOKEN))).toBeUndefined();
      vi.advanceTimersByTime(30_000);
    }
  });
});

const TOKEN = 'correct-horse-battery-staple';

function visitor(remoteAddress: string | undefined, token?: string) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const request = { headers: { host: 'localhost:14100', ...authorization }, socket: { remoteAddress } };
  return { request: request as unknown as IncomingMessage, isRemote: true };
}
