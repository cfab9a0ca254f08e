import { bitsOf, type CapabilityName } from './capabilities.js';

/**
 * What is still needed once all is attached, as a set of bits: to enter network namespaces, to look into processes, files and
 * rules. CAP_DAC_OVERRIDE for files in folders of others, which are renamed and removed later, and for sockets of root.
 */
export function keptWhileTracing({ writesFiles, isRoot }: { writesFiles: boolean; isRoot: boolean }): bigint {
  return bitsOf(writesFiles || !isRoot ? [...ALWAYS, 'CAP_DAC_OVERRIDE'] : ALWAYS);
}

const ALWAYS: readonly CapabilityName[] = [
  'CAP_NET_ADMIN',
  'CAP_SYS_ADMIN',
  'CAP_SYS_PTRACE',
  'CAP_DAC_READ_SEARCH',
];
