import {
  type Attributed,
  type AttributedPlace,
  type Attributor,
  NOT_ATTRIBUTED,
} from './attribute/attributor.js';
import { Grounds } from './attribute/pods/attribution.js';
import type { Explainer, Explanation } from './explain/explain.js';
import { explainMode } from './explain/mode.js';
import type { Member } from './incident/membership.js';
import type { DropNames } from './names/drop-names.js';
import { REFUSED_SOURCE } from './names/reasons.js';
import type { DropReader } from './record/decode.js';
import { FLAGS } from './record/layout.gen.js';
import { CONTEXT_PART, FLOW_PART, PartCache } from './record/part-cache.js';
import type { RouteChanges } from './routes/route-changes.js';
import { type Context, type Flow, MAX_FLOWS } from './sink/sink.js';

/** A flow with all that the stages remember of it. */
export type TracedFlow = Mutable<Omit<Flow, 'context'> & Explanation> &
  Attributed &
  Member & {
    context: TracedContext;
    /** What the explainer's epoch was when it was asked. */
    routesEpoch: number;
  };

export interface FlowsOptions {
  readonly names: DropNames;
  readonly attributor: Attributor;
  readonly explainer: Explainer;
  readonly routes: RouteChanges;
  readonly onForgetContexts: () => void;
  /** recordOf gives what the records of a flow have in common. */
  readonly onForgetFlows: (flows: readonly Flow[], recordOf: (flow: Flow) => DropReader) => void;
}

/** What follows from the bytes that the drops of a flow share: worked out for the first of them, and remembered. Bounded. */
export class Flows {
  readonly #options: FlowsOptions;
  readonly #contexts: PartCache<TracedContext>;
  readonly #flows: PartCache<TracedFlow>;

  constructor(options: FlowsOptions) {
    this.#options = options;
    this.#contexts = new PartCache({
      part: CONTEXT_PART,
      max: MAX_CONTEXTS,
      create: (drop, id) => this.#describeContext(drop, id),
      onClear: options.onForgetContexts,
    });
    this.#flows = new PartCache({
      part: FLOW_PART,
      max: MAX_FLOWS,
      create: (drop, id, old) => this.#start(drop, id, old),
      onClear: (flows) => options.onForgetFlows(flows, (flow) => this.#flows.reader(flow.id)),
    });
  }

  find(drop: DropReader): TracedFlow {
    return this.#flows.find(drop);
  }

  /** Routes have moved, or may have. */
  explainAgain(flow: TracedFlow, drop: DropReader): void {
    Object.assign(flow, this.#explain(drop, flow.context));
    flow.routesEpoch = this.#options.explainer.epoch;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#flows.clear();
  }

  #start(drop: DropReader, id: number, old: TracedFlow | undefined): TracedFlow {
    const context = this.#contexts.find(drop);
    const fresh = {
      ...this.#explain(drop, context),
      routesEpoch: this.#options.explainer.epoch,
      ...NOT_ATTRIBUTED,
      context,
      drops: 0,
      incident: undefined,
      epoch: -1,
    };
    return old === undefined ? { id, grounds: new Grounds(), ...fresh } : Object.assign(old, fresh);
  }

  #explain(drop: DropReader, context: Context): Explanation {
    const { explainer, routes } = this.#options;
    const explanation = explainer.explain(drop, context);
    if (explanation.staleAtMs !== Number.POSITIVE_INFINITY) routes.meet(drop.netns);
    return explanation;
  }

  #describeContext(drop: DropReader, id: number): TracedContext {
    const { names, attributor } = this.#options;
    const named = names.of(drop);
    return {
      id,
      aggregate: aggregateOf(drop),
      ...named,
      ...attributor.deviceOf(drop),
      mode: explainMode(drop),
      isRefusedSource: REFUSED_SOURCE.includes(named.reason ?? ''),
    };
  }
}

type Mutable<T> = { -readonly [member in keyof T]: T[member] };

type TracedContext = Mutable<Context> & AttributedPlace;

function aggregateOf({ flags }: DropReader): Context['aggregate'] {
  if (!(flags & FLAGS.AGGREGATE)) return undefined;
  return flags & FLAGS.COARSE ? 'device' : 'flow';
}

const MAX_CONTEXTS = 1024;
