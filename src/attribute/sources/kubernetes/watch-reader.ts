import { ApiFailure } from './failure.js';
import { MAX_OBJECT_BYTES, Pieces, parseJson } from './pieces.js';

/** What became of an object; for 'ERROR' the object is a Status. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

/** Takes the stream of a watch apart: one event a line. A line that is not ended yet was not said yet. */
export class WatchReader {
  readonly #onEvent: (event: WatchEvent) => void;
  readonly #line = new Pieces(MAX_OBJECT_BYTES);

  constructor(onEvent: (event: WatchEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** @throws {ApiFailure} 'malformed' for what is no event. */
  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      this.#line.add(chunk, from, end);
      from = end + 1;
      this.#takeLine();
    }
    this.#line.add(chunk, from, chunk.length);
    this.#checkSize();
  }

  #takeLine(): void {
    this.#checkSize();
    if (this.#line.isEmpty) return;
    const event = parseJson(this.#line.take());
    if (!isEvent(event)) throw new ApiFailure('malformed', 'the watch told something that is no event');
    this.#onEvent(event);
  }

  #checkSize(): void {
    if (this.#line.isTooLarge) throw new ApiFailure('malformed', 'an event of the watch is too large');
  }
}

function isEvent(value: unknown): value is WatchEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { type, object } = value as { type?: unknown; object?: unknown };
  return TYPES.includes(type as string) && typeof object === 'object' && object !== null;
}

const TYPES: readonly string[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];
const NEWLINE = 0x0a;
