/**
 * Takes a JSON array of objects apart while it arrives: only one object is held, however long the array. Throws when the text
 * is something else.
 */
export class ElementSplitter {
  readonly #onElement: (text: string) => void;
  readonly #maxChars: number;
  #element = '';
  /** Of brackets and braces that are open; the array's own is the first. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  #ended = false;

  /** `maxChars`: of one element. */
  constructor(onElement: (text: string) => void, maxChars: number) {
    this.#onElement = onElement;
    this.#maxChars = maxChars;
  }

  push(chunk: string): void {
    let from = this.#depth > 1 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const before = this.#depth;
      this.#read(chunk.charCodeAt(at));
      if (before === 1 && this.#depth === 2) from = at;
      if (before === 2 && this.#depth === 1) {
        this.#take(chunk.slice(from, at + 1));
        from = -1;
      }
    }
    if (from >= 0) this.#keep(chunk.slice(from));
  }

  /** Throws when the array is not whole. */
  end(): void {
    if (!this.#ended) throw new Error('the answer ends in the middle');
  }

  #take(rest: string): void {
    const text = this.#element + rest;
    this.#element = '';
    this.#onElement(text);
  }

  #keep(part: string): void {
    this.#element += part;
    if (this.#element.length > this.#maxChars)
      throw new Error(`an element has more than ${this.#maxChars} characters`);
  }

  #read(code: number): void {
    if (this.#inString) this.#readString(code);
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.#open(code);
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) this.#close();
    else if (this.#depth <= 1) this.#readBetween(code);
    else if (code === QUOTE) this.#inString = true;
  }

  #readString(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#inString = false;
  }

  /** Which brackets belong together is left to the one who parses the element. */
  #open(code: number): void {
    const expected = [OPEN_BRACKET, OPEN_BRACE][this.#depth];
    if (this.#ended || (expected !== undefined && code !== expected)) throw new Error(NO_ARRAY);
    this.#depth++;
  }

  #close(): void {
    if (this.#depth === 0) throw new Error(NO_ARRAY);
    this.#depth--;
    this.#ended = this.#depth === 0;
  }

  #readBetween(code: number): void {
    if (code === COMMA && this.#depth === 1) return;
    if (code !== SPACE && code !== TAB && code !== LINE_FEED && code !== RETURN) throw new Error(NO_ARRAY);
  }
}

const NO_ARRAY = 'the answer is no list of objects';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
