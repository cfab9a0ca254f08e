import { inspect } from 'node:util';
import type { PodSourceOptions } from './attribute/pods/default-sources.js';
import { TracerError } from './errors.js';
import type { FilterSpec } from './filters/filters.js';
import { printable } from './printable.js';
import { didYouMean } from './suggest.js';

export interface TracerOptions extends FilterSpec, PodSourceOptions {
  /** An event for each drop, instead of counting the drops of a flow together. */
  readonly every?: boolean | undefined;
  /** Packet bytes with each drop, 0 to 2048. */
  readonly snaplen?: number | undefined;
  /** How often the counts of flows come out, 10 to 3600000; 1000 when not given. */
  readonly intervalMs?: number | undefined;
  /** Whether the kernel's route lookups may be watched for some seconds after a refused source; true when not given. */
  readonly witness?: boolean | undefined;
  /** Name of this machine in the events; the host name when not given. */
  readonly node?: string | undefined;
  /** With the labels of pods. */
  readonly labels?: boolean | undefined;
  /** Forces how drops are seen, for tests: names of docs/compatibility.md, e.g. ['kprobe', 'probe_read']. */
  readonly backend?: readonly string[] | undefined;
  /** Ends the stream: what was captured still comes, then the stop event. */
  readonly signal?: AbortSignal | undefined;
}

/** native/core/rpf_core.h */
export const MAX_SNAPLEN = 2048;
/** More often costs more than it tells; less often nobody waits for. */
export const INTERVAL_MS = { min: 10, max: 3_600_000 };

/** Whatever a program without types may give. Throws E_USAGE; names that the kernel does not know are found later. */
export function checkTracerOptions(options: unknown): asserts options is TracerOptions {
  if (!isObject(options)) {
    throw new TracerError('E_USAGE', `openTracer: its options are ${show(options)}`, {
      remedies: ['give an object, or nothing: openTracer({ rpfOnly: true })'],
    });
  }
  for (const [name, value] of Object.entries(options)) checkOption(name, value);
}

function checkOption(name: string, value: unknown): void {
  if (!isOption(name)) {
    const names = Object.keys(RULES);
    throw new TracerError(
      'E_USAGE',
      `openTracer has no option ${printable(name)}${didYouMean(name, names)}`,
      {
        remedies: [`its options are ${names.join(', ')}`],
      },
    );
  }
  const { accepts, wanted } = RULES[name];
  if (value === undefined || accepts(value)) return;
  throw new TracerError('E_USAGE', `openTracer: option ${name} is ${show(value)}`, {
    remedies: [`give ${wanted}`, 'or leave it out'],
  });
}

interface Rule {
  readonly accepts: (value: unknown) => boolean;
  readonly wanted: string;
}

const flag: Rule = { accepts: (value) => typeof value === 'boolean', wanted: 'true or false' };
const isNames = (value: unknown) => isArrayOf(value, isText);
const names: Rule = { accepts: isNames, wanted: "an array of names: ['default']" };
const path: Rule = { accepts: isText, wanted: 'a path, as a string' };

const RULES: Record<keyof TracerOptions, Rule> = {
  reasons: {
    accepts: (value) => isArrayOf(value, isText),
    wanted: "an array of names: ['IP_RPFILTER']",
  },
  rpfOnly: flag,
  devices: {
    accepts: (value) => isArrayOf(value, isText),
    wanted: "an array of names: ['eth0', 'lxc*']",
  },
  netns: {
    accepts: (value) => isArrayOf(value, (one) => isText(one) || isIntegerIn(one, 1, 0xffff_ffff)),
    wanted: "an array of names, paths or inode numbers: ['blue', '/proc/1/ns/net', 4026531840]",
  },
  expression: {
    accepts: (value) => typeof value === 'string',
    wanted: "a pcap-filter(7) expression as a string: 'tcp and port 443'",
  },
  every: flag,
  snaplen: {
    accepts: (value) => isIntegerIn(value, 0, MAX_SNAPLEN),
    wanted: `a whole number from 0 to ${MAX_SNAPLEN}`,
  },
  intervalMs: {
    accepts: (value) => isIntegerIn(value, INTERVAL_MS.min, INTERVAL_MS.max),
    wanted: `a whole number of milliseconds from ${INTERVAL_MS.min} to ${INTERVAL_MS.max}`,
  },
  witness: flag,
  namespaces: names,
  pods: { accepts: isNames, wanted: "an array of names: ['qfusion-admin/mssql-0', 'mssql-1']" },
  selector: { accepts: isText, wanted: "a label selector: 'app=mssql'" },
  thisPod: flag,
  cilium: flag,
  ciliumSocket: path,
  cri: flag,
  criSocket: path,
  kubernetes: flag,
  processes: flag,
  kubeconfig: path,
  context: { accepts: isText, wanted: 'the name of a context in the kubeconfig' },
  peers: flag,
  labels: flag,
  node: { accepts: isText, wanted: 'a name, as a string that is not empty' },
  backend: { accepts: isNames, wanted: "an array of names: ['kprobe']" },
  signal: { accepts: isSignal, wanted: 'an AbortSignal' },
};

function isOption(name: string): name is keyof typeof RULES {
  return Object.hasOwn(RULES, name);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isArrayOf(value: unknown, accepts: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(accepts);
}

/** One of another realm too, where instanceof would not do. */
function isSignal(value: unknown): boolean {
  return isObject(value) && 'throwIfAborted' in value && 'addEventListener' in value;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isIntegerIn(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** A value in one short line. */
function show(value: unknown): string {
  return printable(inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 64 }));
}
