import { TracerError } from './errors.js';
import type { NativeConfig } from './native.js';
import { printable } from './printable.js';
import { didYouMean } from './suggest.js';

/** What a trace can be made to do without, or to see refused sources with, whatever suits this kernel best. */
const BACKENDS = {
  tracepoint: { backend: 'tracepoint' },
  fentry: { backend: 'fentry' },
  fexit: { backend: 'fexit' },
  kprobe: { backend: 'kprobe' },
  'kfree_skb-2': { kfreeSkbArguments: 2 },
  'kfree_skb-3': { kfreeSkbArguments: 3 },
  'kfree_skb-4': { kfreeSkbArguments: 4 },
  probe_read: { probeRead: true },
  legacy: { legacy: true },
} as const satisfies Record<string, NativeConfig>;

/** docs/compatibility.md says what each of them is. */
export type BackendName = keyof typeof BACKENDS;

export const BACKEND_NAMES = Object.keys(BACKENDS) as readonly BackendName[];

/** The configuration of these together. Throws E_USAGE for a name that is none, and for two that exclude each other. */
export function backendConfig(names: readonly string[]): NativeConfig {
  const chosen = new Map<string, string>();
  for (const name of names) {
    if (!isBackend(name)) throw unknown(name);
    const [choice = ''] = Object.keys(BACKENDS[name]);
    const other = chosen.get(choice);
    if (other !== undefined && other !== name)
      throw new TracerError('E_USAGE', `backends ${other} and ${name} exclude each other`);
    chosen.set(choice, name);
  }
  return Object.assign({}, ...names.filter(isBackend).map((name) => BACKENDS[name]));
}

function isBackend(name: string): name is BackendName {
  return Object.hasOwn(BACKENDS, name);
}

function unknown(name: string): TracerError {
  return new TracerError(
    'E_USAGE',
    `there is no backend ${printable(name)}${didYouMean(name, BACKEND_NAMES)}`,
    {
      remedies: [`the backends are ${BACKEND_NAMES.join(', ')}`],
    },
  );
}
