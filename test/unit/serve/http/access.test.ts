import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
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

function visitor(remoteAddress: string | undefined) {
  const request = { headers: { host: 'localhost:14100' }, socket: { remoteAddress } };
  return { request: request as unknown as IncomingMessage, isRemote: true };
}
