import { spawn } from 'node:child_process';
import { Ledger } from './ledger.mjs';
import { Reader } from './reader.mjs';

/**
 * All who read while it soaks, each in its own way. Those that have a ledger get everything in the end, or are told what they
 * did not get.
 */
export class Readers {
  /** Streams that were opened. */
  opened = 0;
  /** Read all the time, from the first event to the last. */
  keepers = [];
  /** Go away and come back before anything was forgotten. */
  hoppers = [];
  /** Stop reading for a while. */
  stallers = [];
  /** Stay away for so long that the server has forgotten. */
  sleepers = [];
  #places;
  #pace;
  #absences;
  #open = [];

  /** `places`: socket and TCP port of the server; `absences`: for how long those stay away who lose something. */
  constructor(places, pace, absences) {
    this.#places = places;
    this.#pace = pace;
    this.#absences = absences;
    this.keepers = [new Ledger('a reader that keeps up'), new Ledger('another one that keeps up')];
    this.hoppers = ['by socket', 'by TCP', 'by server-sent events'].map(
      (how) => new Ledger(`a reader that comes back ${how}`),
    );
    this.stallers = [new Ledger('a reader that stops reading')];
    this.sleepers = [new Ledger('a reader that sleeps')];
  }

  get ledgers() {
    return [...this.keepers, ...this.hoppers, ...this.stallers, ...this.sleepers];
  }

  async open() {
    const { socket, tcp } = this.#places;
    this.#open = [await this.#read(socket, this.keepers[0]), await this.#read(tcp, this.keepers[1])];
  }

  /** What goes on beside: each a loop that ends with the pace. */
  loops() {
    const { socket, tcp } = this.#places;
    const [bySocket, byTcp, byEvents] = this.hoppers;
    const { every } = this.#pace;
    return [
      this.#hop(socket, bySocket, { stayMs: 3000, awayMs: 1000 }),
      this.#hop(tcp, byTcp, { stayMs: 1700, awayMs: 2500 }),
      this.#hop(tcp, byEvents, { stayMs: 2300, awayMs: 300, accept: 'text/event-stream' }),
      this.#hop(socket, this.sleepers[0], { stayMs: 1000, awayMs: this.#absences.sleepMs }),
      this.#stall(socket, this.stallers[0]),
      every(1000, () => this.#dip(socket, (reader) => reader.half())),
      every(700, () => this.#dip(tcp, (reader) => reader.cut())),
      every(5000, () => this.#kill()),
    ];
  }

  /** All that are still to be read, to the end of the stream. Call it before the server ends. */
  async catchUp() {
    const { socket } = this.#places;
    for (const ledger of [...this.hoppers, ...this.sleepers])
      this.#open.push(await this.#read(socket, ledger, since(ledger)));
  }

  /** Resolves when the server has ended all streams. */
  async over() {
    await Promise.all(this.#open.map((reader) => reader.over));
  }

  async #read(place, ledger, options) {
    this.opened++;
    return await Reader.open(place, ledger, options);
  }

  /** Comes, is cut off, stays away, goes on behind the event that it had last. */
  async #hop(place, ledger, { stayMs, awayMs, accept }) {
    while (!this.#pace.isOver) {
      const reader = await this.#read(place, ledger, accept ? asBrowser(ledger, accept) : since(ledger));
      do await this.#pace.pause(stayMs);
      while (ledger.lastId === undefined && !this.#pace.isOver); // who knows none cannot go on behind it
      reader.cut();
      await this.#pace.pause(awayMs);
    }
  }

  async #stall(place, ledger) {
    const reader = await this.#read(place, ledger);
    this.#open.push(reader);
    while (!this.#pace.isOver) {
      await this.#pace.pause(4000);
      reader.pause();
      await this.#pace.pause(this.#absences.stallMs);
      reader.resume();
    }
  }

  /** Comes, hears a little, and ends in some way. */
  async #dip(place, end) {
    const reader = await this.#read(place, NOBODY, { query: 'last=10&heartbeat=1' });
    await this.#pace.pause(400);
    end(reader);
  }

  /** A process that follows, killed without a word. */
  async #kill() {
    const { socketPath } = this.#places.socket;
    const script = `require('http').get({ socketPath: '${socketPath}', path: '/v1/events?since=1h' }, (answer) => {
      answer.resume();
      process.stdout.write('.');
    })`;
    const child = spawn(process.execPath, ['--eval', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.opened++;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended]);
    child.kill('SIGKILL');
    await ended;
  }
}

/** A ledger of one whom nobody asks what he was told. */
const NOBODY = { take: () => undefined, resume: () => undefined };

function since({ lastId }) {
  return { query: `since=${lastId ?? '1h'}` };
}

/** An EventSource asks for the same as before and says where it was. */
function asBrowser({ lastId }, accept) {
  return { query: 'since=1h', headers: { accept, 'last-event-id': lastId ?? '' } };
}
