/**
 * A day of a busy node in ten minutes:  npm run soak -- [--seconds N] [--results FILE]
 *
 * `rpftrace serve` captures while pods come and go, settings flip, readers come, stall, die and go on where they were, strangers
 * knock, neighbours are away, the clock is set and the history rotates. The packets that are dropped meanwhile are counted.
 * Ends with 0 when no event was missing, nothing leaked and memory stayed flat; with 1 when not, and says what.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isRoot, main, Stop } from '../scripts/lib/command.mjs';
import { importLab } from './lib/flood.mjs';
import { stopSignal } from './lib/stop-signal.mjs';
import { formatSoak } from './soak/report.mjs';
import { Soak } from './soak/soak.mjs';

await main(async () => {
  const { seconds, results } = readOptions();
  if (!isRoot()) throw new Stop('the soak needs root: it creates network namespaces and loads BPF programs');
  const signal = stopSignal();
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-soak-'));
  try {
    const result = await Soak.run({ seconds, scratch, signal, library: await importLab() });
    process.stdout.write(formatSoak(result));
    if (results) writeFileSync(results, `${JSON.stringify(result, null, 2)}\n`);
    process.exitCode = result.problems.length > 0 ? 1 : 0;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

function readOptions() {
  const text = { type: 'string' };
  const { seconds = '600', results } = parseArgs({ options: { seconds: text, results: text } }).values;
  if (!/^\d{2,6}$/.test(seconds) || Number(seconds) < 30)
    throw new Stop(`--seconds: '${seconds}' is not a whole number from 30 on`, 2);
  return { seconds: Number(seconds), results };
}
