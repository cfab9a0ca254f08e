import type { core } from 'zod';
import { TracerError } from '../../errors.js';
import { printable } from '../../printable.js';
import { didYouMean } from '../../suggest.js';
import { readEnvironment } from './environment.js';
import { type ConfigFile, readConfigFile } from './file.js';
import { type Config, type ConfigInput, configSchema, keysAt } from './schema.js';

export interface ConfigPlaces {
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From the command line. */
  readonly flags: ConfigInput;
}

/** The command line counts more than the environment, that more than the file. Throws E_CONFIG with all that is wrong. */
export async function loadConfig({ file: path, env, flags }: ConfigPlaces): Promise<Config> {
  const file = path === undefined ? undefined : await readConfigFile(path);
  const input = merge(merge(file?.input ?? {}, readEnvironment(env)), flags);
  const { success, data, error } = configSchema.safeParse(input);
  if (success) return data;
  const lines = error.issues.flatMap((issue) => explain(issue, file));
  throw new TracerError(
    'E_CONFIG',
    ['the configuration is wrong:', ...lines.map((line) => `  ${line}`)].join('\n'),
  );
}

function explain(issue: core.$ZodIssue, file: ConfigFile | undefined): string[] {
  const { path } = issue;
  if (issue.code !== 'unrecognized_keys') return [`${place(path, file)}${issue.message}`];
  return issue.keys.map((key) => {
    const known = keysAt(path);
    const hint = didYouMean(key, known) || `; there are ${known.join(', ')}`;
    return `${place([...path, key], file)}is no key here${printable(hint)}`;
  });
}

function place(path: readonly PropertyKey[], file: ConfigFile | undefined): string {
  const line = file?.lineOf(path);
  const where = line === undefined ? '' : `${file?.path}, line ${line}: `;
  return `${where}${printable(path.map(String).join('.'))} `;
}

/** What stands in `over` counts; lists are taken whole. */
function merge(under: ConfigInput, over: ConfigInput): ConfigInput {
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = merged[key];
    merged[key] = isObject(value) && isObject(below) ? merge(below, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is ConfigInput {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
