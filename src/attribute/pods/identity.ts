import type { PodSighting } from '../source.js';
import type { Pod, PodFacts } from './pod.js';

/**
 * Whether what a source says may be of this pod, given that something links them: a uid, a container, a name, or the
 * source's own key. A pod of a StatefulSet is followed by one of the same name, which is another pod.
 */
export function isOf(sighting: PodSighting, pod: Pod): boolean {
  const { facts } = pod;
  if (sighting.uid !== undefined && facts.uid !== undefined) return sighting.uid === facts.uid;
  if (differ(sighting.name, facts.name) || differ(sighting.namespace, facts.namespace)) return false;
  if (sharesContainer(sighting, facts)) return true;
  return pod.goneMs === undefined && !hasMoved(sighting, facts);
}

function sharesContainer(sighting: PodSighting, facts: PodFacts): boolean {
  return (sighting.containers ?? []).some(({ id }) => facts.containers?.some((other) => other.id === id));
}

/** Another network namespace, or of the addresses none that it had: another pod of that name. */
function hasMoved(sighting: PodSighting, facts: PodFacts): boolean {
  if (differ(sighting.netns, facts.netns)) return true;
  const ips = sighting.interfaces.flatMap((one) => one.ips);
  const known = new Set(facts.interfaces.flatMap((one) => one.ips));
  return [4, 6].some((family) => {
    const [mine, theirs] = [ips, [...known]].map((all) => all.filter((ip) => familyOf(ip) === family));
    return mine?.length && theirs?.length && !mine.some((ip) => known.has(ip));
  });
}

function differ<T>(a: T | undefined, b: T | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}

export function familyOf(ip: string): 4 | 6 {
  return ip.includes(':') ? 6 : 4;
}
