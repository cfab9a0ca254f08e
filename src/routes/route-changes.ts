import type { Capture } from '../capture/capture.js';
import type { Writer } from '../events.js';
import { ROUTE_CHANGED } from '../record/layout.gen.js';
import type { RouteChangeReader } from '../record/route-records.js';
import { Executed } from '../settings/executed.js';
import { Writers } from '../settings/writer.js';
import { Askers } from './askers.js';
import { type RouteChange, readRouteChange } from './change.js';
import { Watched } from './watched.js';

/** What became of routes in the network namespaces that are listened to, and who asked for it. */
export class RouteChanges {
  readonly #executions: Executed;
  readonly #writers = new Writers();
  readonly #askers: Askers;
  readonly #watched: Watched;

  constructor(capture: Pick<Capture, 'executed' | 'watchRoutes'>, ownNetns: number | undefined) {
    const now = () => performance.now();
    this.#executions = new Executed(capture);
    this.#askers = new Askers({ ownNetns, now, executed: (number, netns) => this.#executed(number, netns) });
    this.#watched = new Watched({ watch: (netns, on) => capture.watchRoutes(netns, on), own: ownNetns, now });
  }

  /** There are drops in this network namespace that routes decide about: it is listened to, if it can be. */
  meet(netns: number): void {
    this.#watched.meet(netns);
  }

  /** Undefined for what is no change. */
  take(record: RouteChangeReader): RouteChange | undefined {
    const { netns, what } = record;
    if (what === ROUTE_CHANGED.CHANGED_UNWATCHED) this.#watched.forget(netns);
    return readRouteChange(record, (portId) => this.#askers.find(portId, netns));
  }

  #executed(number: number, netns: number): Writer | undefined {
    const record = this.#executions.find(number, netns);
    return record && this.#writers.describe(record);
  }
}
