import { setTimeout as sleep } from 'node:timers/promises';
import { textAt } from '../../attribute/sources/kubernetes/object.js';
import { Reflector } from '../../attribute/sources/kubernetes/reflector.js';
import { TracerError } from '../../errors.js';
import { printable } from '../../printable.js';
import type { Fleet } from '../fleet/fleet.js';
import { inTurns, Turns } from '../fleet/turns.js';
import type { Credentials } from '../place.js';
import { accessError, LIST_AGENTS } from './access-error.js';
import type { KubernetesApi } from './api.js';
import { podPlace } from './pod-place.js';

/** Which pods are the agents of the nodes. */
export interface AgentsOptions {
  readonly namespace: string;
  readonly selector: string;
  readonly port: number;
  readonly token: Credentials['token'];
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Has a fleet follow the agents of all nodes: those that are there, those that come, and no longer those that go. Resolves when
 * the first are known. Rejects with a TracerError when they cannot be asked for, or there are none.
 */
export async function followAgents(api: KubernetesApi, fleet: Fleet, options: AgentsOptions): Promise<void> {
  const { namespace, selector, port, token, note, signal } = options;
  const turns = new Turns(CONNECTING);
  const resource = {
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
    labelSelector: selector,
    permission: `list and watch of pods in namespace ${namespace}`,
    max: MAX_AGENTS,
  };
  const taker = {
    put: (uid: string, object: unknown) => {
      const pod = textAt(object, 'metadata', 'name');
      const node = textAt(object, 'spec', 'nodeName');
      const hasEnded = ['Succeeded', 'Failed'].includes(textAt(object, 'status', 'phase') ?? '');
      if (pod === undefined || node === undefined || hasEnded) return fleet.remove(uid);
      fleet.add(uid, inTurns(podPlace(api, { namespace, pod, port }, { token }), turns), node);
    },
    drop: (uid: string) => fleet.remove(uid),
    listed: () => undefined,
  };
  const reflector = new Reflector(api.client, resource, taker, api.timing, signal);
  void reflector.run();
  while (reflector.state.phase === 'connecting' && !signal.aborted) await sleep(ASK_MS);
  const { failure } = reflector.state;
  if (failure) throw accessError(`cannot find the agents by ${api.credentials.at}`, failure);
  if (fleet.size === 0 && !signal.aborted) throw nobody(namespace, selector);
  fleet.complete();
  tellTrouble(reflector, note, signal);
}

/** What was known of the agents stays, when nobody tells any more what becomes of them. */
function tellTrouble(reflector: Reflector, note: (text: string) => void, signal: AbortSignal): void {
  let told: string | undefined;
  const timer = setInterval(() => {
    const why = reflector.state.failure?.message;
    if (why === told) return;
    note(
      why === undefined
        ? 'agents that come and go are seen again'
        : `agents that come and go are not seen: ${why}`,
    );
    told = why;
  }, TELL_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
}

function nobody(namespace: string, selector: string): TracerError {
  return new TracerError(
    'E_NO_SERVER',
    `there are no pods with ${printable(selector)} in namespace ${printable(namespace)}`,
    {
      remedies: [
        `see where they are: ${LIST_AGENTS}`,
        'name their namespace and labels: --agents-namespace NS --agents-selector TEXT',
      ],
    },
  );
}

/** Handshakes with the API server at a time. */
const CONNECTING = 16;
/** Nodes that Kubernetes is made for, twice. */
const MAX_AGENTS = 10_000;
const ASK_MS = 20;
const TELL_MS = 1000;
