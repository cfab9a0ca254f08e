import { z } from 'zod';
import type { TracerError } from '../../errors.js';
import { isHttpUrl } from '../../http-url.js';
import { MAX_SERIES } from '../../metrics/drop-counter.js';
import { INTERVAL_MS, MAX_SNAPLEN } from '../../tracer-options.js';
import { bytesOf } from '../../units.js';
import { isLoopback, parseAddress } from '../http/address.js';

/*
 * The configuration of `rpftrace serve`: one schema for the file, the environment and the command line. docs/serve.md
 * explains each key.
 */

const size = (least: number) =>
  z.union([z.int(), z.string()]).transform((value, context) => {
    const bytes = bytesOf(String(value));
    if (bytes !== undefined && bytes >= least) return bytes;
    context.addIssue({ code: 'custom', message: `is no size from ${least} bytes on: give 64k, 100M or 1G` });
    return z.NEVER;
  });

const address = z.string().transform((text, context) => {
  try {
    return parseAddress(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as TracerError).message });
    return z.NEVER;
  }
});

const names = z.array(z.string().min(1));
const path = z.string().min(1);
const flag = z.boolean();
const httpUrl = z.string().refine(isHttpUrl, 'is no URL like http://collector:4318');

const capture = z.strictObject({
  rpf_only: flag.optional(),
  reasons: names.optional(),
  devices: names.optional(),
  netns: names.optional(),
  expression: z.string().optional(),
  namespaces: names.optional(),
  pods: names.optional(),
  selector: z.string().min(1).optional(),
  this_pod: flag.optional(),
  every: flag.optional(),
  snaplen: z.int().min(0).max(MAX_SNAPLEN).optional(),
  interval_ms: z.int().min(INTERVAL_MS.min).max(INTERVAL_MS.max).optional(),
  witness: flag.optional(),
  node: z.string().min(1).optional(),
  labels: flag.optional(),
});

const sources = z.strictObject({
  cilium: flag.optional(),
  cilium_socket: path.optional(),
  cri: flag.optional(),
  cri_socket: path.optional(),
  kubernetes: flag.optional(),
  kubeconfig: path.optional(),
  context: z.string().min(1).optional(),
  peers: flag.optional(),
  processes: flag.optional(),
});

const history = z.strictObject({
  memory: size(256 * 1024).prefault('16M'),
  directory: path.optional(),
  disk: size(1024 * 1024).prefault('256M'),
});

const limits = z.strictObject({
  readers: z.int().min(1).max(10_000).prefault(256),
  connections: z.int().min(1).max(100_000).prefault(512),
  series: z.int().min(1).max(100_000).prefault(MAX_SERIES),
});

const otlp = z
  .strictObject({ url: httpUrl, logs: flag.optional(), metrics: flag.optional() })
  .refine(
    ({ logs, metrics }) => logs !== false || metrics !== false,
    'sends nothing: logs and metrics are both off',
  );

export const configSchema = z
  .strictObject({
    listen: z.array(address).min(1).prefault(['unix:/run/rpftrace/rpftrace.sock', '127.0.0.1:14100']),
    socket_mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, 'is no mode of a file: give 0600 or 0660, in quotes')
      .prefault('0600'),
    token: z.string().optional(),
    token_file: path.optional(),
    tls: z.strictObject({ cert_file: path, key_file: path }).optional(),
    history: history.prefault({}),
    limits: limits.prefault({}),
    capture: capture.prefault({}),
    sources: sources.prefault({}),
    otlp: otlp.optional(),
    kubernetes_events: flag.optional(),
  })
  .superRefine((config, context) => {
    if (config.token !== undefined && config.token_file !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['token'],
        message: 'goes with no token_file: give one of them',
      });
    const open = config.listen.find((one) => !isLoopback(one));
    if (open && config.token === undefined && config.token_file === undefined)
      context.addIssue({
        code: 'custom',
        path: ['listen'],
        message: 'has an address that others can reach: give a token_file as well',
      });
  });

export type Config = z.output<typeof configSchema>;

/** As it is written, before anything of it is checked. */
export type ConfigInput = { readonly [key: string]: unknown };

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
}

export interface Leaf {
  readonly path: readonly string[];
  readonly type: 'array' | 'boolean' | 'integer' | 'string';
}

/** All keys that have no keys below them. */
export function configLeaves(): Leaf[] {
  return leavesOf(z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, []);
}

/** The keys that may stand at this place of the configuration. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: JsonSchema | undefined = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema;
  for (const key of path) schema = schema?.properties?.[String(key)];
  return Object.keys(schema?.properties ?? {});
}

function leavesOf({ type, properties, anyOf }: JsonSchema, path: readonly string[]): Leaf[] {
  if (properties) return Object.entries(properties).flatMap(([key, one]) => leavesOf(one, [...path, key]));
  return [{ path, type: (anyOf ? 'string' : (type ?? 'string')) as Leaf['type'] }];
}
