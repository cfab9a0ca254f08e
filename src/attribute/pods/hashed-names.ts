import { createHash } from 'node:crypto';

/** What Calico (cali...) and AWS (eni..., vlan...) make the name of a pod's device in the host from: sha1 of "namespace.name". */
export function hashOfPod(namespace: string, name: string): string[] {
  return [createHash('sha1').update(`${namespace}.${name}`).digest('hex').slice(0, HASH_LETTERS)];
}

/** The hash in the name of a device; undefined for a name that is not made like this. */
export function hashOfName(name: string): string | undefined {
  return /^(?:cali|eni|vlan)([0-9a-f]{11})$/.exec(name)?.[1];
}

const HASH_LETTERS = 11;
