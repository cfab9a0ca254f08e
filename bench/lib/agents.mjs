import { createServer } from 'node:http';

/**
 * Stands for many `rpftrace serve`, all behind one port: speaks /v1/events as they do, below a path for each, with history,
 * positions and heartbeats, out of lines that somebody makes up. For simulations and tests of those who read many.
 */
export class Agents {
  #server;
  #agents = new Map();
  #port = 0;

  constructor() {
    this.#server = createServer({ noDelay: true }, (request, response) => {
      const url = new URL(request.url, 'http://agents');
      const agent = this.#agents.get(url.pathname.split('/')[1]);
      if (agent === undefined || !url.pathname.endsWith('/v1/events')) response.writeHead(404).end();
      else agent.answer(url.searchParams, response);
    });
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = this.#server.address().port;
    return this;
  }

  add(node, options = {}) {
    const agent = new Agent(node, options);
    this.#agents.set(node, agent);
    return agent;
  }

  urlOf({ node }) {
    return `http://127.0.0.1:${this.#port}/${node}`;
  }

  async close() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** One of them. */
export class Agent {
  #lines = [];
  #first = 1;
  #readers = new Set();
  isAway = false;

  /** `hasBeats`: who has nothing to say says so now and then. */
  constructor(node, { epoch = 'mwsegikr', history = 1000, hasBeats = true } = {}) {
    this.node = node;
    this.epoch = epoch;
    this.history = history;
    this.hasBeats = hasBeats;
  }

  get readers() {
    return this.#readers.size;
  }

  get told() {
    return this.#first + this.#lines.length - 1;
  }

  /** An event without its id. */
  tell(event) {
    this.tellText(JSON.stringify({ v: 1, node: this.node, ...event }));
  }

  tellText(text) {
    this.#lines.push(`${text.slice(0, -1)},"event_id":"${this.epoch}-${this.told + 1}"}\n`);
    if (this.#lines.length > this.history) this.#first += this.#lines.splice(0, this.history / 2).length;
    for (const reader of this.#readers) reader.send();
  }

  /** Cuts everybody off, and lets nobody in. */
  leave() {
    this.isAway = true;
    for (const reader of this.#readers) reader.response.destroy();
  }

  comeBack() {
    this.isAway = false;
  }

  /** Cuts everybody off once. */
  cut() {
    for (const reader of this.#readers) reader.response.destroy();
  }

  answer(query, response) {
    if (this.isAway) return response.destroy();
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'rpftrace-epoch': this.epoch });
    response.flushHeaders();
    const follows = query.get('follow') !== 'false';
    const position = () => response.write(`{"position":"${this.epoch}-${this.told}"}\n`);
    const reader = new Reader(response, this.#startOf(query), {
      linesFrom: (number) => this.#linesFrom(number),
      onPlaced: () => (follows ? query.get('position') === 'true' && position() : response.end()),
    });
    reader.send();
    if (!follows) return;
    const beat = () => this.hasBeats && reader.isPlaced && position();
    const timer = setInterval(beat, Number(query.get('heartbeat') ?? 3600) * 1000);
    this.#readers.add(reader);
    response.on('close', () => {
      clearInterval(timer);
      this.#readers.delete(reader);
    });
  }

  /** Those from this number on, some at a time, and the number that follows. */
  #linesFrom(number) {
    const from = Math.max(number, this.#first);
    const lines = this.#lines.slice(from - this.#first, from - this.#first + LINES_AT_ONCE);
    return { text: lines.join(''), next: from + lines.length };
  }

  #startOf(query) {
    const since = /^(\w+)-(\d+)$/.exec(query.get('since') ?? '');
    if (since) return Math.max(this.#first, since[1] === this.epoch ? Number(since[2]) + 1 : 1);
    return query.has('since') || query.has('last') ? this.#first : this.told + 1;
  }
}

/** One who reads an agent, at his own pace: what he does not take stays with the agent. */
class Reader {
  #next;
  #parts;
  #isFull = false;
  #wasPlaced = false;

  /** `onPlaced`: all that had been told before has been given. */
  constructor(response, first, parts) {
    this.response = response;
    this.#next = first;
    this.#parts = parts;
    response.on('drain', () => {
      this.#isFull = false;
      this.send();
    });
  }

  /** Has got all. */
  get isPlaced() {
    return this.#wasPlaced && !this.#isFull;
  }

  send() {
    while (!this.#isFull) {
      const { text, next } = this.#parts.linesFrom(this.#next);
      if (text === '') return this.#place();
      this.#next = next;
      this.#isFull = !this.response.write(text);
    }
  }

  #place() {
    if (this.#wasPlaced) return;
    this.#wasPlaced = true;
    this.#parts.onPlaced();
  }
}

/** Some 64 kB, as a server gives of its history at a time. */
const LINES_AT_ONCE = 32;
