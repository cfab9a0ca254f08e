import { type Ailment, isCured } from '../explain/fix.js';
import type { Evidence, Passage } from '../explain/route.js';
import type { RouteChange } from '../routes/change.js';
import { parseAddress } from '../routes/prefix.js';
import type { Incident } from './incident.js';
import { touches } from './route-culprit.js';

/**
 * The last change of routes that touched an incident, where the kernel lets in all of its sources by now: the ways back are
 * asked for again and tried on the model of the kernel. Undefined where it does not, or where that cannot be known.
 */
export function movedBack(
  { ailments, firstNs }: Incident,
  changes: readonly RouteChange[],
  reverseRoute: (passage: Passage) => Evidence,
): RouteChange | undefined {
  if (ailments.length === 0 || ailments.length > MAX_ASKED) return undefined;
  const since = changes.filter(({ timeNs }) => timeNs >= firstNs);
  const last = since.findLast((change) =>
    ailments.some((ailment) => touches(change, ailment, parseAddress(ailment.src))),
  );
  if (last === undefined) return undefined;
  return ailments.every((ailment) => isLetIn(ailment, since, reverseRoute)) ? last : undefined;
}

function isLetIn(
  ailment: Ailment,
  since: readonly RouteChange[],
  reverseRoute: (passage: Passage) => Evidence,
): boolean {
  const { passage, state } = ailment;
  if (passage === undefined) return false;
  const { route, customRules } = reverseRoute(passage);
  const unnumbered = state.unnumbered && !isNumberedSince(state.ifindex, since);
  return isCured({ ...ailment, state: { ...state, customRules, unnumbered }, route });
}

function isNumberedSince(ifindex: number, since: readonly RouteChange[]): boolean {
  const last = since.findLast(({ what, ifindex: other }) => what === 'address' && other === ifindex);
  return last !== undefined && last.action !== 'deleted';
}

/** Lookups take some 50 microseconds each. */
const MAX_ASKED = 32;
