import { once } from 'node:events';
import { connect } from 'node:net';

/** What a server has to endure beside its readers: strangers, its own configuration, neighbours that come and go, the clock. */
export class Weather {
  /** How often each of these was done. */
  counts = { requests: 0, refused: 0, reloads: 0, agent_down: 0, collector_down: 0, clock_steps: 0 };
  problems = [];
  #server;
  #config;
  #agent;
  #collector;
  #clock;
  #pace;

  constructor({ server, config, agent, collector, clock, pace }) {
    this.#server = server;
    this.#config = config;
    this.#agent = agent;
    this.#collector = collector;
    this.#clock = clock;
    this.#pace = pace;
  }

  loops() {
    const { every } = this.#pace;
    return [
      every(1000, (turn) => this.#ask(QUESTIONS[turn % QUESTIONS.length])),
      every(3000, () => this.#dawdle()),
      every(5000, (turn) => this.#reload(turn)),
      every(20_000, (turn) => turn > 0 && this.#takeAway(this.#agent, 'agent_down')),
      every(25_000, (turn) => turn > 0 && this.#takeAway(this.#collector, 'collector_down')),
      every(7000, (turn) => this.#setClock(CLOCK[turn % CLOCK.length])),
    ];
  }

  /** Everybody is there again, and the clock is right. */
  async clear() {
    this.#setClock(0);
    await this.#server.reload(this.#config);
  }

  async #ask({ path, status, headers, tcp = false }) {
    const { places } = this.#server;
    const place = tcp ? { ...places.tcp, headers: {} } : places.socket;
    const answer = await this.#server.get(path, place, headers).catch(({ code }) => ({ status: code }));
    this.counts[answer.status === 200 ? 'requests' : 'refused']++;
    if (![status].flat().includes(answer.status))
      this.problems.push(`${path} was answered with ${answer.status}, not with ${status}`);
  }

  /** Sends half a request and waits to be thrown out. */
  async #dawdle() {
    const socket = connect(this.#server.places.socket.socketPath);
    socket.on('error', () => undefined);
    socket.write('GET /v1/status HTTP/1.1\r\nHost: x\r\n');
    const closed = once(socket.resume(), 'close');
    await Promise.race([closed, this.#pace.pause(30_000)]);
    if (!socket.closed && !this.#pace.isOver) this.problems.push('half a request was waited for');
    socket.destroy();
    this.counts.refused++;
  }

  /** Every third file is broken. */
  async #reload(turn) {
    const { limits } = this.#config;
    const config = { ...this.#config, limits: { ...limits, readers: limits.readers + (turn % 3) } };
    await this.#server.reload(turn % 3 === 2 ? `{"limits": {"raeders": ${turn}}}` : config);
    this.counts.reloads++;
  }

  async #takeAway(neighbour, name) {
    if (neighbour === undefined) return;
    neighbour.close();
    this.counts[name]++;
    await this.#pace.pause(5000);
    await neighbour.open();
  }

  #setClock(seconds) {
    this.#clock.set(seconds);
    this.counts.clock_steps = this.#clock.steps;
  }
}

const WRONG = { authorization: 'Bearer wrong-wrong-wrong-wrong' };
/** One after the other. A wrong token comes rarely enough that its address is not shut out. */
const QUESTIONS = [
  { path: '/v1/status', status: 200 },
  { path: '/metrics', status: 200 },
  { path: '/v1/incidents', status: 200 },
  { path: '/v1/../../etc/passwd', status: 404 },
  { path: '/healthz', status: 200, tcp: true },
  { path: '/metrics', status: 200 },
  { path: '/v1/events?since=yesterday', status: 400 },
  { path: '/v1/snapshot', status: 200 },
  { path: '/v1/status', status: 401, tcp: true },
  { path: '/v1/status', status: 401, tcp: true, headers: WRONG },
  { path: '/readyz', status: 200, tcp: true },
  { path: '/metrics', status: 200 },
  { path: '/v1/events?since=30s&follow=false&kind=incident', status: 200 },
  { path: '/v1/status', status: ['ECONNRESET', 'EPIPE'], headers: { 'x-huge': 'a'.repeat(40_000) } },
  { path: '/v1/doctor', status: 200 },
  { path: '/v1/events?last=100&follow=false', status: 200 },
];
/** Seconds from the true time. */
const CLOCK = [0, 3600, -3600, 30, 0, -2, 86_400];
