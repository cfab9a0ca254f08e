import { TracerError } from '../../errors.js';
import { didYouMean } from '../../suggest.js';
import { type ConfigInput, configLeaves, type Leaf } from './schema.js';

/** RPFTRACE_HISTORY_MEMORY is history.memory. Lists are separated by commas. Throws E_CONFIG. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): ConfigInput {
  const leaves = new Map(configLeaves().map((leaf) => [variableOf(leaf), leaf]));
  const config: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === '' || !name.startsWith(PREFIX) || isForeign(name)) continue;
    const leaf = leaves.get(name);
    if (leaf === undefined) {
      const hint = didYouMean(name, [...leaves.keys()]);
      throw new TracerError(
        'E_CONFIG',
        `the environment has ${name}, which is no setting of rpftrace${hint}`,
      );
    }
    set(config, leaf.path, parse(text, leaf));
  }
  return config;
}

function variableOf({ path }: Leaf): string {
  return PREFIX + path.join('_').toUpperCase();
}

/** What it cannot be is left as text, for the schema to say so. */
function parse(text: string, { type }: Leaf): unknown {
  if (type === 'array') return text.split(',').map((one) => one.trim());
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text);
  if (type === 'boolean' && /^(true|1|yes|on)$/i.test(text)) return true;
  if (type === 'boolean' && /^(false|0|no|off)$/i.test(text)) return false;
  return text;
}

function set(config: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    config[first] = value;
    return;
  }
  config[first] ??= {};
  set(config[first] as Record<string, unknown>, rest, value);
}

/**
 * Of the program as a whole, its build and its tests. And Kubernetes tells each pod of its namespace's services: of one that is
 * called rpftrace too.
 */
function isForeign(name: string): boolean {
  return OTHERS.has(name) || /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$/.test(name);
}

const PREFIX = 'RPFTRACE_';
const OTHERS: ReadonlySet<string> = new Set(
  ['DEBUG', 'RELEASES', 'TEST_RUN', 'VM_CACHE'].map((name) => PREFIX + name),
);
