import { isatty } from 'node:tty';
import type { KubernetesOptions } from '../attribute/sources/kubernetes-options.js';
import { TracerError } from '../errors.js';
import { type ForwarderPlace, loadForwarders } from '../forwarders.js';
import type { OtlpTarget } from '../otlp/otlp.js';
import type { Clock } from '../record/clock.js';
import { DropEventSink, type EventSink } from '../sink/event-sink.js';
import { NdjsonSink, PREPARED_BYTES } from '../sink/ndjson.js';
import { Output } from '../sink/output.js';
import type { Sink } from '../sink/sink.js';
import { TeeSink } from '../sink/tee-sink.js';
import { wantsColor } from './color.js';
import { type Format, type FormatOptions, snaplenOf } from './formats.js';

/** Who gets the events beside those who read them here. */
export interface ForwarderFlags {
  readonly otlp?: string;
  /** false with --no-otlp-logs, --no-otlp-metrics. */
  readonly otlpLogs: boolean;
  readonly otlpMetrics: boolean;
  readonly kubernetesEvents?: true;
}

export interface SinkOptions extends FormatOptions, ForwarderFlags, KubernetesOptions {}

export interface OpenedSink {
  readonly output: Output;
  readonly make: (clock: Clock) => Sink;
}

/** Throws E_USAGE for options of which one needs another. */
export function checkRotation({ out, rotateSize, rotateKeep }: FormatOptions): void {
  if (rotateSize !== undefined && out === undefined) {
    throw new TracerError('E_USAGE', '--rotate-size needs --out FILE: standard output cannot be rotated');
  }
  if (rotateKeep !== undefined && rotateSize === undefined) {
    throw new TracerError('E_USAGE', '--rotate-keep needs --rotate-size SIZE');
  }
}

/** Opens what the options say drops are written to. Throws E_OUTPUT, and E_USAGE for what no terminal can show. */
export async function openSink(options: SinkOptions, place: ForwarderPlace): Promise<OpenedSink> {
  const { output, make } = await openFormat(options, place.node);
  const { kubernetesEvents } = options;
  const forwarders = await loadForwarders(
    { otlp: otlpOf(options), kubernetesEvents, kubernetes: options },
    place,
  );
  return {
    output,
    make: (clock) => forwarders.reduce<Sink>((sink, open) => new TeeSink(sink, open(clock)), make(clock)),
  };
}

function otlpOf({ otlp: url, otlpLogs: logs, otlpMetrics: metrics }: ForwarderFlags): OtlpTarget | undefined {
  if (!logs && !metrics)
    throw new TracerError('E_USAGE', '--no-otlp-logs and --no-otlp-metrics leave nothing to send');
  if (url === undefined && !(logs && metrics))
    throw new TracerError('E_USAGE', `--no-otlp-${logs ? 'metrics' : 'logs'} is for --otlp URL`);
  return url === undefined ? undefined : { url, logs, metrics };
}

async function openFormat(options: SinkOptions, node: string): Promise<OpenedSink> {
  const format = formatOf(options);
  if (format === 'ndjson') {
    const output = await openOutput(options, PREPARED_BYTES);
    return { output, make: (clock) => new NdjsonSink(output, clock, node) };
  }
  const { output, sink } = await openEventSink(format, options);
  return { output, make: (clock) => new DropEventSink(sink, clock, node) };
}

/** The formats that are made of events. They are loaded only where they are used. Throws as openSink() does. */
export async function openEventSink(
  format: Exclude<Format, 'ndjson'>,
  options: FormatOptions,
): Promise<{ output: Output; sink: EventSink }> {
  if (format === 'pcapng') {
    requireNoTerminal(options);
    const { PcapngSink } = await import('../sink/pcapng/pcapng.js');
    const { rotateSize } = options;
    const output = await openOutput({ ...options, rotateSize: undefined });
    return { output, sink: new PcapngSink(output, { snaplen: snaplenOf(options) ?? 0, rotateSize }) };
  }
  if (format === 'hubble') {
    const { HubbleSink } = await import('../sink/hubble/hubble.js');
    const output = await openOutput(options);
    return { output, sink: new HubbleSink(output) };
  }
  const { TableSink } = await import('../sink/table.js');
  const isTerminal = goesToTerminal(options);
  const output = await openOutput(options);
  const table = { color: wantsColor(isTerminal), size: () => size(isTerminal) };
  return { output, sink: new TableSink(output, table) };
}

export function formatOf(options: FormatOptions): Format {
  return options.output ?? (goesToTerminal(options) ? 'table' : 'ndjson');
}

/** Throws E_OUTPUT. */
export async function openOutput(
  { out, rotateSize, rotateKeep }: Omit<FormatOptions, 'rotateSize'> & { rotateSize?: number | undefined },
  prepared = 0,
): Promise<Output> {
  return await Output.open({ file: out, rotateSize, rotateKeep, prepared });
}

function requireNoTerminal(options: FormatOptions): void {
  if (!goesToTerminal(options)) return;
  throw new TracerError('E_USAGE', '-o pcapng is not for a terminal', {
    remedies: [
      'write it to a file: -o pcapng --out drops.pcapng',
      'or look at it live: rpftrace trace -o pcapng | wireshark -k -i -',
    ],
  });
}

function goesToTerminal({ out }: FormatOptions): boolean {
  return out === undefined && isatty(STDOUT);
}

function size(isTerminal: boolean): { columns: number; rows: number } | undefined {
  if (isTerminal) return { columns: process.stdout.columns, rows: process.stdout.rows };
  const columns = Number(process.env.COLUMNS);
  return columns > 0 ? { columns, rows: Number.POSITIVE_INFINITY } : undefined;
}

const STDOUT = 1;
