import type { DropEvent, IncidentEvent, PodMember, TraceEvent } from '../events.js';
import type { Incident } from '../incident/incident.js';
import type { DropReader } from '../record/decode.js';
import type { Forwarder } from '../sink/forwarder.js';
import type { Flow } from '../sink/sink.js';
import { EventWriter, type EventWriterOptions } from './event-writer.js';
import { type EventPod, podEvent } from './pod-event.js';

/** Tells Kubernetes which incident the drops of a pod belong to: one Event for each incident and pod. */
export class PodEvents implements Forwarder {
  readonly name = 'kubernetes_events';
  readonly #writer: EventWriter;
  readonly #note: (text: string) => void;
  /** Pods that were met in an incident; the objects are another while nothing about them changes. */
  readonly #met = new WeakMap<Incident, WeakSet<PodMember>>();
  /** The open incidents that have been told, and the pods of each that have been seen to. */
  readonly #told = new Map<string, IncidentEvent>();
  readonly #pods = new Map<string, Map<string, EventPod>>();
  #ended: Promise<void> | undefined;

  constructor(options: EventWriterOptions) {
    this.#writer = new EventWriter(options);
    this.#note = options.note;
  }

  get written(): number {
    return this.#writer.written;
  }

  /** Events that Kubernetes did not get. */
  get lost(): number {
    return this.#writer.lost;
  }

  get failure(): string | undefined {
    return this.#writer.failure;
  }

  drop(_drop: DropReader, { incident, attribution: { pod } }: Flow): void {
    if (incident === undefined || pod === undefined) return;
    const met = this.#met.get(incident);
    if (met?.has(pod)) return;
    if (met) met.add(pod);
    else this.#met.set(incident, new WeakSet([pod]));
    this.#meet(incident.id, pod);
  }

  event(event: Exclude<TraceEvent, DropEvent>): void {
    if (event.kind !== 'incident') return;
    const isNew = !this.#told.has(event.id);
    this.#told.set(event.id, event);
    if (isNew) for (const pod of this.#pods.get(event.id)?.values() ?? []) this.#announce(event, pod);
    if (this.#told.size > MAX_INCIDENTS) this.#forget();
  }

  forgetFlows(): void {}

  /** Once, however often it is asked to. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    await this.#writer.end(GRACE_MS);
    if (this.lost > 0) this.#note(`${this.lost} events for pods did not reach Kubernetes`);
  }

  #meet(id: string, { namespace, name, uid }: PodMember): void {
    if (namespace === undefined || name === undefined || uid === undefined) return;
    const pods = this.#pods.get(id) ?? new Map<string, EventPod>();
    this.#pods.set(id, pods);
    if (pods.has(uid) || pods.size === MAX_PODS) return;
    const pod = { namespace, name, uid };
    pods.set(uid, pod);
    const told = this.#told.get(id);
    if (told) this.#announce(told, pod);
  }

  #announce(known: IncidentEvent, pod: EventPod): void {
    this.#writer.add(() => {
      const event = podEvent(pod, this.#told.get(known.id) ?? known, Date.now());
      return { namespace: pod.namespace, event };
    });
  }

  /** Of those that are over the oldest. */
  #forget(): void {
    const closed = [...this.#told.values()].find(({ state }) => state === 'closed');
    const id = closed?.id ?? (this.#told.keys().next().value as string);
    this.#told.delete(id);
    this.#pods.delete(id);
  }
}

/** Twice as many as are open at a time, src/incident/incidents.ts. */
const MAX_INCIDENTS = 128;
/** Of one incident. */
const MAX_PODS = 1024;
const GRACE_MS = 1000;
