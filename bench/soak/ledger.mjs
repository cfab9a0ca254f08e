/** What one reader of /v1/events was told, held against what it must be told: each event once, in order, or that it is lost. */
export class Ledger {
  /** Of the event that came last. */
  lastId;
  events = 0;
  /** Drops of refused sources that events told of. */
  refused = 0;
  /** Drops of all reasons. */
  drops = 0;
  /** Told as lost to this reader. `drops` is NaN once nobody could say how many. */
  lost = { events: 0, drops: 0 };
  opened = new Set();
  closed = new Set();
  stop;
  problems = [];
  #name;
  #next = 1;
  /** As it was with the event that came last. */
  #atLast = { next: 1, lost: this.lost };

  constructor(name) {
    this.#name = name;
  }

  /** Goes on behind the event that came last: what was told since then will be told again. */
  resume() {
    this.#next = this.#atLast.next;
    this.lost = this.#atLast.lost;
  }

  take(line) {
    if (line === '') return; // a heartbeat
    const event = JSON.parse(line);
    if (event.kind === 'lost' && event.where === 'reader') this.#lose(event);
    else this.#count(event);
  }

  #lose({ count, drops, count_unknown: why }) {
    if (why !== undefined) this.#complain(`it was told that nobody knows: ${why}`);
    this.lost = { events: this.lost.events + count, drops: this.lost.drops + (drops ?? Number.NaN) };
    this.#next += count;
  }

  #count(event) {
    const number = Number(event.event_id.split('-')[1]);
    if (number !== this.#next) this.#complain(`event ${number} came where ${this.#next} was due`);
    this.#next = number + 1;
    this.#atLast = { next: this.#next, lost: this.lost };
    this.lastId = event.event_id;
    this.events++;
    if (event.kind === 'drop') this.#countDrop(event);
    if (event.kind === 'incident') (event.state === 'closed' ? this.closed : this.opened).add(event.id);
    if (event.kind === 'lost') this.#complain(`the tracer lost ${event.count}: ${JSON.stringify(event)}`);
    if (event.kind === 'stop') this.stop = event;
  }

  #countDrop({ reason, count }) {
    this.drops += count;
    if (reason === 'IP_RPFILTER') this.refused += count;
  }

  #complain(text) {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(`${this.#name}: ${text}`);
  }
}

const MAX_PROBLEMS = 10;
