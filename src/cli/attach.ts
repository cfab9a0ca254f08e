import { follow } from '../attach/follow.js';
import { openPlace } from '../attach/open-place.js';
import type { Place } from '../attach/place.js';
import type { Question } from '../attach/question.js';
import type { Received } from '../attach/received.js';
import { parseTarget, type Target } from '../attach/target.js';
import { tokenReader } from '../attach/token.js';
import { EXIT, exitCodeOf, formatError, TracerError, toTracerError } from '../errors.js';
import { isLoopback } from '../serve/http/address.js';
import type { AttachOptions } from './attach-options.js';
import { type AttachSink, openAttachSink } from './attach-sink.js';
import { StateTeller } from './attach-state.js';
import { AttachSummary } from './attach-summary.js';
import { Ending } from './ending.js';
import { ReadyFile } from './ready-file.js';
import { note, say } from './say.js';
import { dieBy } from './signals.js';
import { checkRotation } from './sinks.js';

/** Runs `rpftrace attach` and returns its exit code. Throws a TracerError when it cannot begin, or cannot go on. */
export async function attach(text: string | undefined, options: AttachOptions): Promise<number> {
  checkCombinations(options);
  const place = await placeOf(parseTarget(text), options);
  const readyFile = new ReadyFile(options.readyFile);
  const sink = await openAttachSink(options);
  const ending = new Ending(sink.output);
  sink.output.onError = (error) => ending.fail(error);
  try {
    return await run({ place, options, sink, ending, readyFile });
  } finally {
    ending.dispose();
    readyFile.remove();
  }
}

interface Parts {
  readonly place: Place;
  readonly options: AttachOptions;
  readonly sink: AttachSink;
  readonly ending: Ending;
  readonly readyFile: ReadyFile;
}

async function run({ place, options, sink, ending, readyFile }: Parts): Promise<number> {
  const controller = new AbortController();
  const { signal } = controller;
  const teller = new StateTeller(place, signal);
  const summary = new AttachSummary();
  const limit = new Limit(options.count, () => {
    ending.end({ why: 'count' });
    controller.abort();
  });
  let wasConnected = false;
  const following = follow(place, questionOf(options), {
    ...{ signal, reconnect: options.reconnect },
    onEvent: (received) => {
      sink.take(received);
      summary.add(received);
      limit.count(received);
    },
    onPortion: () => roomIn(sink),
    onState: (state) => {
      if (state.kind === 'connected') readyFile.write();
      wasConnected = true;
      teller.tell(state);
    },
  }).then(
    () => {
      ending.end({ why: 'closed' });
      return undefined;
    },
    (thrown) => {
      ending.end({ why: 'error' });
      return toTracerError(thrown);
    },
  );
  ending.endAfter(options.duration);
  await ending.cause;
  controller.abort();
  const failure = await following;
  const exitCode = await finish(sink, ending);
  if (wasConnected) say(summary.format(), 'info');
  if (failure) throw failure;
  return exitCode;
}

/** Lets out what is still to be written, as long as somebody takes it. */
async function finish(sink: AttachSink, ending: Ending): Promise<number> {
  const end = sink.end().then(
    () => undefined,
    () => ending.failure,
  );
  const outcome = await Promise.race([end, ending.failure, ending.impatience]);
  if (outcome === undefined) return EXIT.done;
  if (typeof outcome !== 'string') {
    if (outcome.code !== 'E_READER_GONE') say(formatError(outcome), 'error');
    return exitCodeOf(outcome);
  }
  say(`rpftrace: ${ending.waitedFor}`, 'error');
  ending.dispose(); // while it listens, the signal does nothing
  dieBy(outcome);
  return EXIT.failed;
}

/** Undefined where there is some. */
function roomIn({ output }: AttachSink): Promise<void> | undefined {
  output.flush();
  if (output.ready) return undefined;
  return new Promise((resolve) => {
    output.onReady = resolve;
  });
}

/** Counts drop events up to the number that was asked for. */
class Limit {
  readonly #max: number | undefined;
  readonly #onReached: () => void;
  #drops = 0;

  constructor(max: number | undefined, onReached: () => void) {
    this.#max = max;
    this.#onReached = onReached;
  }

  count({ kind }: Received): void {
    if (kind === 'drop' && ++this.#drops === this.#max) this.#onReached();
  }
}

function checkCombinations(options: AttachOptions): void {
  checkRotation(options);
  const { otlp, kubernetesEvents } = options;
  const forwarder = otlp ? '--otlp' : kubernetesEvents ? '--kubernetes-events' : undefined;
  if (forwarder === undefined) return;
  throw new TracerError('E_USAGE', `attach sends nothing on: ${forwarder} is for the server`, {
    remedies: [`give it there: rpftrace serve ${forwarder} ...; it has all events, and reads them once`],
  });
}

async function placeOf(target: Target, options: AttachOptions): Promise<Place> {
  const { tokenFile, tlsCa, tlsServerName, kubeconfig, context } = options;
  const token = tokenReader({ file: tokenFile, environment: process.env.RPFTRACE_TOKEN });
  if (
    target.kind === 'http' &&
    !target.isTls &&
    token() !== undefined &&
    !isLoopback({ ...target, kind: 'tcp' })
  )
    note('the token travels in clear: use https:// where others can listen');
  return await openPlace(target, { token, tlsCa, tlsServerName, kubernetes: { kubeconfig, context } });
}

function questionOf(options: AttachOptions): Question {
  const { since, last, follow, kind, reason, device, netns, namespace, pod, selector, rpfOnly } = options;
  return {
    ...{ since, last, follow },
    filters: {
      ...{ kind, reason, device, netns, namespace, pod },
      ...(selector !== undefined && { selector }),
      ...(rpfOnly && { rpf_only: 'true' }),
    },
  };
}
