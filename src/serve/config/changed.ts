import type { Config } from './schema.js';

/** What was asked for and takes effect with the next start only. */
export function changedKeys(old: Config, config: Config): string[] {
  const changed: string[] = FIXED.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(config[key]));
  if (old.history.directory !== config.history.directory) changed.push('history.directory');
  for (const key of ['connections', 'series'] as const)
    if (old.limits[key] !== config.limits[key]) changed.push(`limits.${key}`);
  if ((old.tls === undefined) !== (config.tls === undefined)) changed.push('tls');
  return changed;
}

/** The configuration that holds until the next start: `config`, and what cannot change of the old one. */
export function withFixed(old: Config, config: Config): Config {
  return { ...config, ...Object.fromEntries(FIXED.map((key) => [key, old[key]])) };
}

const FIXED = ['listen', 'socket_mode', 'capture', 'sources', 'otlp', 'kubernetes_events'] as const;
