import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { attach } from '../../../src/cli/attach.js';
import type { AttachOptions } from '../../../src/cli/attach-options.js';
import { dieBy } from '../../../src/cli/signals.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

vi.mock('../../../src/cli/attach-reading.js', () => ({
  openReading: async () => ({ summary: [], run: () => new Promise(() => undefined) }),
}));
vi.mock('../../../src/cli/signals.js', async (original) => ({
  ...(await original<typeof import('../../../src/cli/signals.js')>()),
  dieBy: vi.fn(),
}));

test('the second signal ends what does not heed the first one', async () => {
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  onTestFinished(() => stderr.mockRestore());
  const before = process.listenerCount('SIGINT');
  const out = join(temporaryDirectory(), 'out.ndjson');
  const attached = attach([], { out, output: 'ndjson' } as AttachOptions);
  await vi.waitFor(() => expect(process.listenerCount('SIGINT')).toBeGreaterThan(before));
  process.emit('SIGINT', 'SIGINT');
  process.emit('SIGINT', 'SIGINT');
  expect(await attached).toBe(1);
  expect(dieBy).toHaveBeenCalledWith('SIGINT');
});
