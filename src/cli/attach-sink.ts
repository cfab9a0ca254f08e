import type { Received } from '../attach/received.js';
import type { Output } from '../sink/output.js';
import type { FormatOptions } from './formats.js';
import { formatOf, openEventSink, openOutput } from './sinks.js';

/** Where events go that came from afar. */
export interface AttachSink {
  readonly output: Output;
  /** Events that this version does not know go into NDJSON only. */
  take(received: Received): void;
  /** Resolves when everything is where it belongs. */
  end(): Promise<void>;
}

/** Throws E_OUTPUT, and E_USAGE for what no terminal can show. */
export async function openAttachSink(options: FormatOptions): Promise<AttachSink> {
  const format = formatOf(options);
  if (format === 'ndjson') {
    const output = await openOutput(options);
    return { output, take: ({ text }) => output.writeText(`${text}\n`), end: () => output.end() };
  }
  // How many bytes its packets have is the server's.
  const { output, sink } = await openEventSink(format, { ...options, snaplen: 0 });
  return { output, take: ({ event }) => event && sink.event(event), end: () => sink.end() };
}
