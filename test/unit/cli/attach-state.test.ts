import { expect, onTestFinished, test, vi } from 'vitest';
import { unixPlace } from '../../../src/attach/sockets.js';
import { StateTeller } from '../../../src/cli/attach-state.js';
import { TracerError } from '../../../src/errors.js';

test('a trouble that lasts is told once, and another one of the same code is told too', () => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  onTestFinished(() => written.mockRestore());
  const teller = new StateTeller(unixPlace('/nowhere/x.sock'), new AbortController().signal);
  const closed = 'x: the other side closed the connection';
  const expired = 'cannot connect to x: its certificate has expired';
  for (const message of [closed, closed, expired, `${expired}\nmore`])
    teller.tell({ kind: 'disconnected', why: new TracerError('E_UNREACHABLE', message), isStop: false });
  expect(written.mock.calls.map(([text]) => text)).toEqual([
    `rpftrace: ${closed}; trying again until it is there\n`,
    `rpftrace: ${expired}; trying again until it is there\n`,
  ]);
});
