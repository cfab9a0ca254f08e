import { release } from 'node:os';
import type { SourceState } from '../attribute/source.js';
import { EXIT } from '../errors.js';
import type { NativeAddon, NativeSurvey } from '../native.js';
import { VERSION } from '../version.js';
import { readCapabilities, readCgroupRoot, readEnvironment, readOtherProcesses } from './environment.js';
import { errorWords } from './error-words.js';
import { describeFeatures } from './features.js';
import { auditNode, type NodeOptions } from './node.js';
import { NO_PODS } from './pod-book.js';
import type { Report, SourceReport } from './report.js';
import { tryTracer } from './trial.js';

export interface DoctorOptions extends NodeOptions {
  readonly addon: NativeAddon;
  /** Name of this machine. */
  readonly node: string;
}

/** Looks at this machine. Sends nothing, changes nothing, leaves nothing attached. */
export async function examine(options: DoctorOptions): Promise<Report> {
  const { addon, node, book = NO_PODS } = options;
  const time = new Date().toISOString();
  const startMs = performance.now();
  const surveys = addon.survey();
  const { pods, later } = auditNode(options, surveys);
  const tracer = await tryTracer(addon);
  const dropped = pods.filter(({ would_drop }) => would_drop === true);
  const unknown = pods.filter(({ would_drop }) => would_drop === null);
  const fine = pods.filter(({ would_drop }) => would_drop === false);
  return {
    v: 1,
    kind: 'doctor',
    time,
    node,
    version: VERSION,
    kernel: release(),
    exit_code: exitCode(dropped.length, tracer),
    tracer,
    features: describeFeatures({
      trials: addon.trials(),
      cgroupRoot: readCgroupRoot(),
      reasons: readReasons(addon),
      namespaces: { found: surveys.length, entered: enteredOf(surveys) },
      processes: readOtherProcesses(),
    }),
    capabilities: readCapabilities(),
    environment: readEnvironment(),
    namespaces: describeNamespaces(surveys),
    pods_found: pods.length,
    pods_dropped: dropped.length,
    pods_unknown: unknown.length,
    pods: [...dropped, ...unknown, ...fine].slice(0, MAX_PODS),
    later: later.later,
    later_unknown: later.unknown,
    sources: book.states.map(describeSource),
    elapsed_ms: Math.round((performance.now() - startMs) * 10) / 10,
  };
}

/** A pod that is in trouble matters more than a tracer that cannot run. */
function exitCode(dropped: number, { can_run }: Report['tracer']): Report['exit_code'] {
  if (dropped > 0) return EXIT.dropped;
  return can_run ? EXIT.done : EXIT.cannot;
}

function readReasons(addon: NativeAddon): ReadonlySet<string> {
  try {
    return new Set(addon.reasons().values());
  } catch {
    return new Set(); // no BTF: said with the other features
  }
}

function enteredOf(surveys: readonly NativeSurvey[]): number {
  return surveys.filter(({ errno }) => errno === undefined).length;
}

function describeNamespaces(surveys: readonly NativeSurvey[]): Report['namespaces'] {
  const refused = surveys.flatMap(({ netns, path, errno }) =>
    errno === undefined ? [] : [{ netns, path, why: errorWords(errno) }],
  );
  return { found: surveys.length, entered: enteredOf(surveys), refused: refused.slice(0, MAX_REFUSED) };
}

function describeSource({ name, state, at, why, ageMs, pods }: SourceState): SourceReport {
  return { name, state, at, why, age_ms: ageMs, pods };
}

const MAX_PODS = 4096;
const MAX_REFUSED = 16;
