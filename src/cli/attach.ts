import type { Received } from '../attach/received.js';
import { EXIT, exitCodeOf, formatError, TracerError, toTracerError } from '../errors.js';
import type { AttachOptions } from './attach-options.js';
import { openReading } from './attach-reading.js';
import { type AttachSink, openAttachSink } from './attach-sink.js';
import { AttachSummary } from './attach-summary.js';
import { Ending } from './ending.js';
import type { Reading } from './reading.js';
import { ReadyFile } from './ready-file.js';
import { say } from './say.js';
import { dieBy } from './signals.js';
import { checkRotation } from './sinks.js';

/** Runs `rpftrace attach` and returns its exit code. Throws a TracerError when it cannot begin, or cannot go on. */
export async function attach(texts: readonly string[], options: AttachOptions): Promise<number> {
  checkCombinations(options);
  const controller = new AbortController();
  const reading = await openReading(texts, options, controller.signal);
  const readyFile = new ReadyFile(options.readyFile);
  const sink = await openAttachSink(options);
  const ending = new Ending(sink.output);
  sink.output.onError = (error) => ending.fail(error);
  try {
    return await run({ reading, options, sink, ending, readyFile, controller });
  } finally {
    ending.dispose();
    readyFile.remove();
  }
}

interface Parts {
  readonly reading: Reading;
  readonly options: AttachOptions;
  readonly sink: AttachSink;
  readonly ending: Ending;
  readonly readyFile: ReadyFile;
  /** Ends the reading. */
  readonly controller: AbortController;
}

async function run({ reading, options, sink, ending, readyFile, controller }: Parts): Promise<number> {
  const { signal } = controller;
  const summary = new AttachSummary();
  const limit = new Limit(options.count, () => {
    ending.end({ why: 'count' });
    controller.abort();
  });
  let wasConnected = false;
  const following = reading
    .run({
      signal,
      onEvent: (received) => {
        // Who puts many servers in order may have more in hand than was asked for.
        if (limit.isReached) return;
        sink.take(received);
        summary.add(received);
        limit.count(received);
      },
      onPortion: () => roomIn(sink),
      onConnected: () => {
        readyFile.write();
        wasConnected = true;
      },
    })
    .then(
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
  const failure = await Promise.race([following, ending.impatience]);
  if (typeof failure === 'string') return giveUp(failure, ending);
  const exitCode = await finish(sink, ending);
  if (wasConnected) say([...summary.lines, ...reading.summary].join('\n'), 'info');
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
  return giveUp(outcome, ending);
}

function giveUp(signal: NodeJS.Signals, ending: Ending): number {
  say(`rpftrace: ${ending.waitedFor}`, 'error');
  dieBy(signal);
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

  get isReached(): boolean {
    return this.#drops === this.#max;
  }

  count({ kind }: Received): void {
    if (kind !== 'drop') return;
    this.#drops++;
    if (this.isReached) this.#onReached();
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
