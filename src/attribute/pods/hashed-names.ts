import { createHash } from 'node:crypto';

/**
 * What these make the name of a pod's device in the host from, sha1 of "namespace.name": Calico (cali..., libcalico-go
 * VethNameForWorkload), AWS (eni..., with a security group vlan...; of further interfaces "namespace.name.1": networkutils
 * GeneratePodHostVethName), Azure (azv..., network generateVethName).
 */
export function hashOfPod(namespace: string, name: string): string[] {
  return [`${namespace}.${name}`, `${namespace}.${name}.1`].map(hash);
}

/** The hash in the name of a device; undefined for a name that is not made like this. */
export function hashOfName(name: string): string | undefined {
  return /^(?:cali|eni|vlan|azv)([0-9a-f]{11})$/.exec(name)?.[1];
}

function hash(text: string): string {
  return createHash('sha1').update(text).digest('hex').slice(0, HASH_LETTERS);
}

const HASH_LETTERS = 11;
