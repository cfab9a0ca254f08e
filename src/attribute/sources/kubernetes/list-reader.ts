import { ApiFailure } from './failure.js';
import { MAX_OBJECT_BYTES, Pieces, parseJson } from './pieces.js';

/** What stands around the items of a list. */
export interface ListEnvelope {
  readonly resourceVersion: string;
  /** Asks for the next page. */
  readonly continue: string | undefined;
}

/**
 * Takes a list apart while it comes, so that memory holds one item of it and not the 100 MB that the services of a large
 * cluster are. Knows of JSON only where strings and brackets begin and end; JSON.parse() judges the rest.
 */
export class ListReader {
  readonly #onItem: (item: unknown) => void;
  readonly #envelope = new Pieces(MAX_ENVELOPE_BYTES);
  readonly #item = new Pieces(MAX_OBJECT_BYTES);
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inItems = false;
  /** Of the piece that is being read; the item itself when #inItem. */
  #inItem = false;
  #ended = false;
  /** Items that were too large to be taken. */
  tooLarge = 0;

  constructor(onItem: (item: unknown) => void) {
    this.#onItem = onItem;
  }

  push(chunk: Buffer): void {
    let mark = 0;
    const cut = (end: number) => {
      if (this.#inItem) this.#item.add(chunk, mark, end);
      else if (!this.#inItems) this.#envelope.add(chunk, mark, end);
      mark = end;
    };
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        this.#readString(byte);
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        this.#open(byte, at, cut);
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        this.#close(at, cut);
      }
    }
    cut(chunk.length);
    if (this.#envelope.isTooLarge) throw new ApiFailure('malformed', 'the list has no items, and no end');
  }

  /** @throws {ApiFailure} 'malformed' when it was no list, or not a whole one. */
  end(): ListEnvelope {
    if (!this.#ended) throw new ApiFailure('malformed', 'the list ended in the middle');
    const list = parseJson(this.#envelope.take()) as { kind?: unknown; metadata?: Record<string, unknown> };
    const { kind, metadata } = list ?? {};
    if (typeof kind !== 'string' || !kind.endsWith('List') || typeof metadata !== 'object') {
      throw new ApiFailure('malformed', 'the answer is no list of Kubernetes objects');
    }
    const { resourceVersion, continue: next } = metadata ?? {};
    return {
      resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
      continue: typeof next === 'string' && next !== '' ? next : undefined,
    };
  }

  #readString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  #open(byte: number, at: number, cut: (end: number) => void): void {
    if (this.#inItems && this.#depth === ITEMS_DEPTH) {
      cut(at);
      this.#inItem = true;
    }
    this.#depth++;
    if (byte !== OPEN_LIST || this.#depth !== ITEMS_DEPTH || this.#inItems) return;
    cut(at + 1);
    this.#inItems = ITEMS_KEY.test(this.#envelope.tail(ITEMS_KEY_BYTES));
  }

  #close(at: number, cut: (end: number) => void): void {
    this.#depth--;
    if (this.#inItem && this.#depth === ITEMS_DEPTH) {
      cut(at + 1);
      this.#inItem = false;
      this.#takeItem();
    } else if (this.#inItems && this.#depth < ITEMS_DEPTH) {
      cut(at);
      this.#inItems = false;
    }
    if (this.#depth === 0) this.#ended = true;
  }

  #takeItem(): void {
    if (this.#item.isTooLarge) this.tooLarge++;
    else this.#onItem(parseJson(this.#item.peek()));
    this.#item.clear();
  }
}

const MAX_ENVELOPE_BYTES = 64 << 10;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

/** Brackets that are open between two items. */
const ITEMS_DEPTH = 2;
const ITEMS_KEY = /"items"\s*:\s*\[$/;
const ITEMS_KEY_BYTES = 64;
