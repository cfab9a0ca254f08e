import { type TracerError, toTracerError } from '../errors.js';
import type { NativeAddon } from '../native.js';
import type { Report } from './report.js';

/** Loads and attaches all that a trace does, and takes it away at once. */
export async function tryTracer(addon: NativeAddon): Promise<Report['tracer']> {
  try {
    const tracer = new addon.Tracer({ ringBytes: RING_BYTES });
    try {
      tracer.attach((error, slot) => {
        if (!error) tracer.release(slot);
      });
    } finally {
      await tracer.close();
    }
    return { can_run: true };
  } catch (thrown) {
    return describe(toTracerError(thrown));
  }
}

function describe(error: TracerError): Report['tracer'] {
  const { code, message, remedies } = error;
  return { can_run: false, code, why: message, remedies: [...remedies] };
}

/** The least that is allowed: there is nothing to take. */
const RING_BYTES = 1 << 16;
