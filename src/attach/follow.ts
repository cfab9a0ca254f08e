import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorCode, TracerError } from '../errors.js';
import { printable } from '../printable.js';
import type { EventId } from '../serve/history/event-id.js';
import { NDJSON } from '../serve/readers/encoding.js';
import { BackOff, STABLE_MS } from './back-off.js';
import type { FollowOptions } from './follow-options.js';
import { Incoming } from './incoming.js';
import { LineSplitter } from './line-splitter.js';
import type { Place } from './place.js';
import { PlaceError } from './place-error.js';
import { eventsPath, type Question } from './question.js';
import { WrongQuestion } from './refusal.js';
import { brokenOff, noServer, request } from './request.js';
import { Silence } from './silence.js';

/**
 * Follows the events of a server, and comes back to it when the connection breaks: behind the last event that came, so that
 * none is missing and none comes twice. Resolves when the signal is aborted, or when all has come that was asked for. Rejects
 * with a TracerError when the first connection fails before anything has come, or when what is asked for is wrong.
 */
export async function follow(place: Place, question: Question, options: FollowOptions): Promise<void> {
  await new Follower(place, question, options).run();
}

class Follower {
  readonly #place: Place;
  readonly #question: Question;
  readonly #options: FollowOptions;
  readonly #backOff = new BackOff();
  /** All up to there has come. */
  #after: EventId | undefined;
  #wasConnected = false;
  /** performance.now() of the first line of this connection. */
  #heardSinceMs: number | undefined;
  /** A line has come that is one of ours. */
  #hasHeard = false;
  /** The server said that it ends. */
  #isStop = false;

  constructor(place: Place, question: Question, options: FollowOptions) {
    this.#place = place;
    this.#question = question;
    this.#options = options;
    this.#after = options.after;
  }

  async run(): Promise<void> {
    const { signal, onState, reconnect = true } = this.#options;
    while (!signal.aborted) {
      const why = await this.#connection();
      if (signal.aborted || why === undefined || (this.#isStop && !reconnect)) return;
      if (!this.#hasHeard || !reconnect || why instanceof WrongQuestion) throw why;
      onState({ kind: 'disconnected', why, isStop: this.#isStop });
      if (performance.now() - (this.#heardSinceMs ?? Number.POSITIVE_INFINITY) > STABLE_MS)
        this.#backOff.reset();
      await sleep(this.#backOff.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Why it broke; undefined when all has come that was asked for. */
  async #connection(): Promise<TracerError | undefined> {
    const { signal } = this.#options;
    this.#heardSinceMs = undefined;
    const line = new AbortController();
    const giveUp = () => line.abort();
    let isSilent = false;
    const silence = new Silence(SILENT_MS, () => {
      isSilent = true;
      giveUp();
    });
    signal.addEventListener('abort', giveUp);
    try {
      const place = this.#heardFrom(silence);
      if (this.#options.fromBoot) this.#after ??= await this.#startOfBoot(place, line.signal);
      const path = eventsPath(this.#question, this.#after, HEARTBEAT_MS);
      await this.#read(await request(place, path, line.signal), silence);
      return this.#question.follow ? this.#error('E_UNREACHABLE', 'ended the connection') : undefined;
    } catch (thrown) {
      if (isSilent) return this.#error('E_UNREACHABLE', `said nothing for ${SILENT_MS / 1000} s`);
      return brokenOff(this.#place, thrown as Error);
    } finally {
      silence.stop();
      signal.removeEventListener('abort', giveUp);
      giveUp();
    }
  }

  /** How long a connection takes is for the place to bound: it may have to wait for its turn. */
  #heardFrom(silence: Silence): Place {
    const connect = async (signal: AbortSignal) => {
      silence.stop();
      // The client of Kubernetes keeps no process alive; who waits for it does.
      const alive = setInterval(() => undefined, SILENT_MS);
      try {
        return await this.#place.connect(signal);
      } finally {
        clearInterval(alive);
        silence.hear();
      }
    };
    return { ...this.#place, connect };
  }

  /** Not as an async iterator: with a thousand servers that each say a line at a time, that is half of the work. */
  async #read(response: IncomingMessage, silence: Silence): Promise<void> {
    const incoming = this.#begin(response);
    const lines = new LineSplitter(MAX_LINE);
    response.on('data', (bytes: Buffer) => {
      try {
        for (const text of lines.take(bytes)) this.#take(text, incoming);
        this.#waitForRoom(response, silence);
      } catch (error) {
        response.destroy(error as Error);
      }
    });
    await finished(response);
  }

  #take(text: string, incoming: Incoming): void {
    if (this.#options.signal.aborted) return;
    incoming.take(text);
    this.#hasHeard = true;
    this.#heardSinceMs ??= performance.now();
    this.#after = incoming.after;
    this.#isStop = incoming.isStop;
  }

  /** Who is not read cannot be heard. */
  #waitForRoom(response: IncomingMessage, silence: Silence): void {
    const room = this.#options.onPortion?.();
    if (room === undefined) {
      silence.hear();
      return;
    }
    silence.stop();
    response.pause();
    const goOn = () => {
      if (response.destroyed) return;
      silence.hear();
      response.resume();
    };
    room.then(goOn, goOn);
  }

  /** Before the first event of the server that is there now. */
  async #startOfBoot(place: Place, signal: AbortSignal): Promise<EventId> {
    const path = eventsPath({ filters: {}, last: '1', follow: false }, undefined, HEARTBEAT_MS);
    const response = await request(place, path, signal);
    response.destroy();
    return { epoch: this.#epochOf(response), number: 0 };
  }

  #epochOf({ headers }: IncomingMessage): string {
    const epoch = headers['rpftrace-epoch'];
    if (typeof epoch === 'string' && headers['content-type'] === NDJSON.contentType) return epoch;
    throw noServer(this.#place, `answers with ${printable(String(headers['content-type']).slice(0, 100))}`);
  }

  #begin(response: IncomingMessage): Incoming {
    const epoch = this.#epochOf(response);
    const { onState, onEvent, onPosition = () => undefined } = this.#options;
    const isAgain = this.#wasConnected;
    if (!isAgain) onState({ kind: 'connected', epoch });
    this.#wasConnected = true;
    return new Incoming({
      after: this.#after,
      onEvent,
      onPosition,
      onResumed: (missing) => isAgain && onState({ kind: 'resumed', epoch, missing }),
    });
  }

  #error(code: ErrorCode, what: string): TracerError {
    return new PlaceError(code, this.#place.name, what);
  }
}

const HEARTBEAT_MS = 5000;
/** Four heartbeats. */
const SILENT_MS = 20_000;
/** The largest events are those of a stop on a node with thousands of network namespaces: some hundred kB. */
const MAX_LINE = 8 << 20;
