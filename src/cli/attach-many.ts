import { Fleet } from '../attach/fleet/fleet.js';
import { reportLines } from '../attach/fleet/report.js';
import type { Credentials, Place } from '../attach/place.js';
import type { Question } from '../attach/question.js';
import { AGENTS, DEFAULT_PORT } from '../attach/target.js';
import { grouped } from '../grouped.js';
import type { AttachOptions } from './attach-options.js';
import type { Reading } from './reading.js';
import { note } from './say.js';

export interface ManyOptions {
  /** None with --all-nodes. */
  readonly places: readonly Place[];
  readonly question: Question;
  readonly credentials: Credentials;
  readonly options: AttachOptions;
}

/** Many servers as one: those that were named, or the agents of all nodes. */
export function openMany({ places, question, credentials, options }: ManyOptions): Reading {
  let fleet: Fleet | undefined;
  return {
    get summary() {
      return fleet ? reportLines(fleet.report) : [];
    },
    run: async ({ onConnected, onEvent, onPortion, signal }) => {
      const onReady = (heard: number, total: number) => {
        note(`attached to ${grouped(heard)} of ${grouped(total)} ${options.allNodes ? 'nodes' : 'servers'}`);
        onConnected();
      };
      const all = new Fleet({ question, onEvent, onPortion, note, onReady, windowMs: options.window });
      fleet = all;
      const running = all.run(signal);
      const found = options.allNodes ? findAgents(all, credentials, options, signal) : addAll(all, places);
      await Promise.all([found, running]);
    },
  };
}

async function addAll(fleet: Fleet, places: readonly Place[]): Promise<void> {
  for (const place of places) fleet.add(place.name, place);
  fleet.complete();
}

/** The client of Kubernetes takes its megabytes only where it is used. */
async function findAgents(
  fleet: Fleet,
  { token, kubernetes = {} }: Credentials,
  options: AttachOptions,
  signal: AbortSignal,
): Promise<void> {
  const [{ openApi }, { followAgents }] = await Promise.all([
    import('../attach/kubernetes/api.js'),
    import('../attach/kubernetes/agents.js'),
  ]);
  const { agentsNamespace, agentsSelector, agentsPort } = options;
  await followAgents(await openApi(kubernetes, signal), fleet, {
    ...{ namespace: agentsNamespace ?? AGENTS.namespace, port: agentsPort ?? DEFAULT_PORT },
    selector: agentsSelector ?? AGENTS.selector,
    ...{ token, note, signal },
  });
}
