import { loadAddon } from '../addon.js';
import { captureConfig } from '../capture-config.js';
import type { NativeConfig } from '../native.js';
import { snaplenOf } from './formats.js';
import { Signals } from './signals.js';
import type { TraceOptions } from './trace-options.js';

/**
 * Runs `rpftrace trace`, as trace.ts does. The kernel takes its time to look at the programs, so that begins before the rest of
 * this program is read: this module and those that it imports are few, and import none of the rest.
 */
export async function startTrace(words: readonly string[], options: TraceOptions): Promise<number> {
  const addon = loadAddon();
  const capture = captureConfig({ ...options, snaplen: snaplenOf(options), intervalMs: options.interval });
  // Whoever ends it from now on, it ends in good order; where the output does not open, by the signal.
  const signals = new Signals();
  try {
    if (!options.reason.includes('help')) addon.loadAhead({ ...capture, ...expressionOf(words) });
    const { trace } = await import('./trace.js');
    return await trace(words, options, { addon, signals, capture });
  } finally {
    signals.remove();
  }
}

/** Whether there is one decides about what is loaded. */
function expressionOf(words: readonly string[]): NativeConfig {
  const expression = words.join(' ');
  return expression === '' ? {} : { expression };
}
