/** Holds a merged stream against what it has to be: in order, nothing missing, nothing twice. */
export class StreamCheck {
  result = { events: 0, gaps: 0, doubles: 0, disordered: 0, late: 0 };
  bytes = 0;
  /** Nodes that are silent for a while: what they tell after it stands behind others, as it is said it will. */
  away = new Set();
  /** Milliseconds from the time of an event to when it came here; one of a hundred. */
  lags = [];
  #rest = '';
  #last = new Map();
  #latest = '';

  /** Begins to count anew what is no total. */
  begin() {
    this.lags = [];
    return { events: this.result.events, bytes: this.bytes };
  }

  take(bytes) {
    this.bytes += bytes.length;
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    const { time, node } = HEAD.exec(line).groups;
    const number = Number(/-(\d+)"\}$/.exec(line)[1]);
    const last = this.#last.get(node) ?? 0;
    if (number > last + 1) this.result.gaps += number - last - 1;
    if (number <= last) this.result.doubles++;
    this.#last.set(node, Math.max(last, number));
    this.#order(time, node);
    if (this.result.events++ % 100 === 0) this.lags.push(Date.now() - Date.parse(time));
  }

  #order(time, node) {
    if (time >= this.#latest) this.#latest = time;
    else if (this.away.has(node)) this.result.late++;
    else this.result.disordered++;
  }
}

const HEAD = /"time":"(?<time>[^"]+)","node":"(?<node>[^"]+)"/;
