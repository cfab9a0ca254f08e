import { hostname } from 'node:os';
import { podSources } from '../attribute/pods/default-sources.js';
import type { Source } from '../attribute/source.js';
import { EXIT, exitCodeOf, formatError, TracerError } from '../errors.js';
import type { StartEvent, StopEvent } from '../events.js';
import { type Filters, resolveFilters } from '../filters/filters.js';
import { checkPodSources } from '../filters/pods.js';
import { ReasonNames } from '../names/reasons.js';
import type { NativeAddon, NativeConfig } from '../native.js';
import { keptWhileTracing } from '../privileges/kept.js';
import { Session } from '../session.js';
import { Ending } from './ending.js';
import { print } from './print.js';
import { ReadyFile } from './ready-file.js';
import { note, say } from './say.js';
import { dieBy, type Signals, unlessSignalled } from './signals.js';
import { checkRotation, type OpenedSink, openSink } from './sinks.js';
import { Summary } from './summary.js';
import type { TraceOptions } from './trace-options.js';

/** What start-trace.ts has begun with. */
export interface Begun {
  readonly addon: NativeAddon;
  readonly signals: Signals;
  /** What the addon loads already. */
  readonly capture: NativeConfig;
}

/** Runs `rpftrace trace` and returns its exit code. Throws a TracerError when the trace cannot begin. */
export async function trace(
  words: readonly string[],
  options: TraceOptions,
  { addon, signals, capture }: Begun,
): Promise<number> {
  checkRotation(options);
  if (options.reason.includes('help')) return await listReasons(addon);
  const filters = resolveFilters(addon, {
    reasons: options.reason,
    rpfOnly: options.rpfOnly,
    devices: options.device,
    netns: options.netns,
    namespaces: options.namespace,
    pods: options.pod,
    selector: options.selector,
    thisPod: options.thisPod,
    expression: words.join(' '),
  });
  const readyFile = new ReadyFile(options.readyFile);
  const opening = openSink(options, { node: nodeName(options), note });
  const { output, make } = await unlessSignalled(opening, signals, () =>
    note(`${options.out ?? 'the output'} was still being opened`),
  );
  const ending = new Ending(output, signals);
  output.onError = (error) => ending.fail(error);
  try {
    const exitCode = await run({ addon, capture, filters, options, makeSink: make, ending, readyFile });
    // The exporter would wait for its next try, and the program for the exporter.
    if (options.otlp !== undefined) process.exit(exitCode);
    return exitCode;
  } finally {
    ending.dispose();
    readyFile.remove();
  }
}

interface Parts {
  readonly addon: NativeAddon;
  readonly capture: NativeConfig;
  readonly filters: Filters;
  readonly options: TraceOptions;
  readonly makeSink: OpenedSink['make'];
  readonly ending: Ending;
  readonly readyFile: ReadyFile;
}

async function run({
  addon,
  capture,
  filters,
  options,
  makeSink,
  ending,
  readyFile,
}: Parts): Promise<number> {
  const summary = new Summary();
  const sources = podSources(options);
  checkPodSources(filters.pods, sources);
  const session = new Session(addon, {
    config: { ...filters.config, ...capture },
    filters: filters.described,
    reasons: filters.reasonNames,
    node: nodeName(options),
    pods: { sources, labels: options.labels },
    podFilter: filters.pods,
    witness: options.witness,
    makeSink,
    limit: options.count,
    onLimit: () => ending.end({ why: 'count' }),
    onNote: note,
    onError: (error) => ending.fail(error),
    onForget: (flows, recordOf) => summary.add(flows, recordOf),
    onIncident: (incident) => summary.addIncident(incident),
  });
  try {
    session.attach();
    if (!options.keepCapabilities) giveUpCapabilities(session, options);
    readyFile.write();
    tellDegraded(session.announce());
    tellSourcesSoon(sources);
  } catch (error) {
    await session.abandon({ why: 'error' });
    throw error;
  }
  ending.endAfter(options.duration);
  const { stop, exitCode, signal } = await finish(session, ending);
  say(summary.format(stop), 'info');
  readyFile.remove();
  if (signal) dieBy(signal);
  return exitCode;
}

interface Finish {
  readonly stop: StopEvent;
  readonly exitCode: number;
  /** Set when something was not waited for: a write that is stuck lets the process end by a signal only. */
  readonly signal?: NodeJS.Signals;
}

/** Waits for the end, then for everything that is still to be written, as long as somebody takes it. */
async function finish(session: Session, ending: Ending): Promise<Finish> {
  const cause = await ending.cause;
  const outcome = await Promise.race([
    session.stop(cause).catch(() => ending.failure),
    ending.failure,
    ending.impatience,
  ]);
  if (outcome instanceof TracerError) {
    const stop = await session.abandon({ why: 'error', error: outcome.message });
    if (outcome.code !== 'E_READER_GONE') say(formatError(outcome), 'error');
    return { stop, exitCode: exitCodeOf(outcome) };
  }
  if (typeof outcome !== 'string') return { stop: outcome, exitCode: EXIT.done };
  const { waitedFor } = ending;
  const stop = await session.abandon({ why: 'signal', signal: outcome });
  say(`rpftrace: ${waitedFor}`, 'error');
  return { stop, exitCode: EXIT.failed, signal: outcome };
}

/** That it may do more than it needs does not keep it from tracing. */
function giveUpCapabilities(session: Session, { out, readyFile }: TraceOptions): void {
  const writesFiles = out !== undefined || readyFile !== undefined;
  try {
    session.giveUpCapabilities(keptWhileTracing({ writesFiles, isRoot: process.geteuid?.() === 0 }));
  } catch (error) {
    note(`capabilities were kept: ${(error as Error).message}`);
  }
}

async function listReasons(addon: NativeAddon): Promise<number> {
  await print(`${ReasonNames.read(addon).all.sort().join('\n')}\n`);
  return EXIT.done;
}

function nodeName({ node }: TraceOptions): string {
  return node || process.env.NODE_NAME || hostname();
}

/** Who could know pods and may not is said once it is known, in good time to do something about it. */
function tellSourcesSoon(sources: readonly Source[]): void {
  const tell = () => {
    for (const { state } of sources) {
      if (state.state === 'failed')
        note(`without pods from ${state.name}: ${state.why ?? 'it does not answer'}`);
    }
  };
  setTimeout(tell, SOURCES_SETTLED_MS).unref();
}

function tellDegraded({ degraded }: StartEvent): void {
  for (const { feature, why } of degraded) note(`without ${feature}: ${why}`);
  const missing = [...new Set(degraded.flatMap(({ missing = [] }) => missing))];
  if (missing.length > 0) note(`${missing.join(', ')} would give more of that: see docs/privileges.md`);
}

const SOURCES_SETTLED_MS = 2000;
