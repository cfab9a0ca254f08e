import { z } from 'zod';
import { DEVICE_ROLES, persisted, reverseRoute, rpfMode, VERDICTS } from '../events.js';

/*
 * What `rpftrace doctor -o json` prints: one object. Keys stand in the order in which they are written. docs/doctor.md explains
 * each. The program takes only types from here, so that zod is not loaded to print a report.
 */

const count = z.int().nonnegative();
const uint32 = z.int().min(0).max(0xffff_ffff);
const netns = uint32.describe('Network namespace: inode number, as in /proc/PID/ns/net');

/** Whether the tracer itself can run: it was loaded, attached and taken away again. */
const tracer = z.strictObject({
  can_run: z.boolean(),
  code: z.string().optional().describe('Why not: the code of the error that rpftrace trace would end with'),
  why: z.string().optional(),
  remedies: z.array(z.string()).optional(),
});

const feature = z.strictObject({
  name: z.string(),
  state: z.enum(['available', 'partial', 'unavailable', 'unknown']),
  unused: z.literal(true).optional().describe('Nothing of rpftrace uses it on this kernel'),
  detail: z.string().optional().describe('Which form of it there is'),
  why: z.string().optional().describe('Why it is not available, or what is missing'),
  cost: z.string().optional().describe('What it costs not to have it, or not all of it'),
});

const capability = z.strictObject({
  name: z.string(),
  held: z.boolean(),
  used_for: z.string(),
  without: z.string().describe('What is lost where it is not held'),
});

const environment = z.strictObject({
  name: z.string(),
  value: z.string().optional(),
  value_unknown: z.string().optional(),
  note: z.string().optional().describe('What this value means for rpftrace'),
});

const namespaces = z.strictObject({
  found: count,
  entered: count,
  refused: z
    .array(z.strictObject({ netns, path: z.string(), why: z.string() }))
    .describe('Those that could not be looked into; at most 16'),
});

/** Where a packet of the pod would go. */
export const DESTINATIONS = ['outside', 'node', 'cilium_host'] as const;

const passage = z.strictObject({
  to: z
    .enum(DESTINATIONS)
    .describe('outside: by the default route; node: its own address; cilium_host: where probes come from'),
  dst: z.ipv4().optional().describe('The address that the routes were asked for with; nothing is sent to it'),
  outcome: z
    .enum(['accepted', 'not_forwarded', ...VERDICTS])
    .optional()
    .describe('What the kernel would do now'),
  outcome_unknown: z.string().optional(),
  reverse_route: reverseRoute.optional().describe('Where a packet to the pod would go'),
  reverse_route_unknown: z.string().optional(),
  explanation: z.string().optional(),
  fix: z
    .array(z.string())
    .optional()
    .describe('Commands of which each alone ends it, the least invasive first'),
  fix_unknown: z.string().optional(),
  fix_where: z.string().optional(),
  persisted: z.array(persisted).optional().describe('Lines of files that will undo the first fix'),
  persisted_unknown: z.string().optional().describe('Files that may do so and cannot be read, and why'),
});

const pod = z.strictObject({
  namespace: z.string().optional(),
  name: z.string().optional(),
  device: z.string(),
  ifindex: uint32,
  role: z.enum(DEVICE_ROLES),
  netns: netns.describe('Of the device: where its packets are checked'),
  bridge: z.string().optional().describe('The bridge that takes its packets in: its settings count'),
  peer_device: z.string().optional(),
  peer_netns: netns.optional(),
  ip: z.ipv4().optional(),
  ip_from: z
    .enum(['peer', 'source', 'route', 'neighbour'])
    .optional()
    .describe('Where the address is known from'),
  unknown: z.string().optional().describe('Why nothing can be said of it'),
  mode: rpfMode.optional(),
  would_drop: z.boolean().nullable().describe('null: not known for any destination'),
  passages: z.array(passage),
});

const later = z.strictObject({
  when: z
    .enum(['sysctl_run', 'tuned_start', 'network_setup', 'new_device'])
    .describe('When it takes effect; at boot all of them do'),
  netns,
  key: z.string(),
  value: z.string(),
  file: z.string().optional().describe('Absent: the kernel has this value now'),
  line: uint32.optional(),
  by: persisted.shape.by.optional(),
  devices: z.array(z.string()).describe('Whose packets would be dropped then, and are not now; at most 16'),
  devices_count: count,
  explanation: z.string(),
  fix: z.array(z.string()).optional().describe('Commands of which each alone keeps it from happening'),
  fix_unknown: z.string().optional(),
  fix_where: z.string().optional(),
});

const source = z.strictObject({
  name: z.string(),
  state: z.enum(['off', 'absent', 'connecting', 'ok', 'stale', 'failed']),
  at: z.string().optional(),
  why: z.string().optional(),
  age_ms: z.number().nonnegative().optional(),
  pods: count.optional(),
});

export const report = z.strictObject({
  v: z.literal(1).describe('Version of this format. It changes when a reader of this one could be misled.'),
  kind: z.literal('doctor'),
  time: z.iso.datetime().describe('When it began, UTC'),
  node: z.string().min(1),
  version: z.string().describe('Version of rpftrace'),
  kernel: z.string().describe('Release of the running kernel'),
  exit_code: z.union([z.literal(0), z.literal(3), z.literal(4)]),
  tracer,
  features: z.array(feature),
  capabilities: z.array(capability),
  environment: z.array(environment),
  namespaces,
  pods_found: count,
  pods_dropped: count.describe('Whose packets would be dropped now, to one destination at least'),
  pods_unknown: count.describe('Of which nothing could be said'),
  pods: z.array(pod).describe('At most 4096; those that would be dropped first'),
  later: z.array(later),
  later_unknown: z.string().optional(),
  sources: z.array(source).describe('Where names of pods come from'),
  elapsed_ms: z.number().nonnegative(),
});

export type Report = z.infer<typeof report>;
export type Feature = z.infer<typeof feature>;
export type Capability = z.infer<typeof capability>;
export type EnvironmentFact = z.infer<typeof environment>;
export type PodReport = z.infer<typeof pod>;
export type PassageReport = z.infer<typeof passage>;
export type LaterReport = z.infer<typeof later>;
export type SourceReport = z.infer<typeof source>;
export type Destination = (typeof DESTINATIONS)[number];

/** The JSON Schema of a report, draft 2020-12. */
export function reportSchema(): object {
  return z.toJSONSchema(report, { target: 'draft-2020-12' });
}
