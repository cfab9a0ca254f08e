import type { DropEvent, LostEvent, TraceEvent } from '../../events.js';
import type { EventSink } from '../event-sink.js';
import type { LineOutput } from '../lines.js';
import { flowOf } from './flow.js';

/**
 * Lines for `hubble observe --input-file`: one observer.GetFlowsResponse each, as proto3 JSON. Drops and losses of drops;
 * Hubble has no words for the rest.
 */
export class HubbleSink implements EventSink {
  readonly #output: LineOutput;

  constructor(output: LineOutput) {
    this.#output = output;
  }

  get ready(): boolean {
    return this.#output.ready;
  }

  set onReady(callback: () => void) {
    this.#output.onReady = callback;
  }

  event(event: TraceEvent): void {
    if (event.kind === 'drop') this.#output.writeText(dropLine(event));
    else if (event.kind === 'lost' && event.where !== 'sysctl')
      this.#output.writeText(lineOf(event, { lost_events: lostEventsOf(event) }));
  }

  flush(): void {
    this.#output.flush();
  }

  end(): Promise<void> {
    return this.#output.end();
  }
}

function dropLine(event: DropEvent): string {
  const line = lineOf(event, { flow: flowOf(event) });
  return line.length <= MAX_LINE ? line : lineOf(event, { flow: flowOf(withoutLabels(event)) });
}

function lineOf({ node, time }: TraceEvent, response: object): string {
  return `${JSON.stringify({ ...response, node_name: node, time })}\n`;
}

function lostEventsOf({ where, count }: LostEvent): object {
  const source = where === 'ring' ? 'PERF_EVENT_RING_BUFFER' : undefined;
  return { source, num_events_lost: String(count) };
}

function withoutLabels(event: DropEvent): DropEvent {
  return event.pod ? { ...event, pod: { ...event.pod, labels: undefined } } : event;
}

/** Hubble's scanner takes lines below 64 KiB. Only labels can be that long, and characters of them may have 3 bytes. */
const MAX_LINE = 20_000;
