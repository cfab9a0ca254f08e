import { TracerError } from '../errors.js';

/** Writes to standard output what is told once, as help is. Whoever reads may stop before the end. Rejects with E_OUTPUT. */
export function print(text: string): Promise<void> {
  // The callback tells as well; an event that nobody listens to would end the program.
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    const end = (error?: NodeJS.ErrnoException | null) =>
      !error || READER_GONE.has(error.code ?? '') ? resolve() : reject(outputError(error));
    try {
      process.stdout.write(text, end);
    } catch (error) {
      end(error as NodeJS.ErrnoException); // a file is written at once
    }
  });
}

function outputError(error: Error): TracerError {
  return new TracerError('E_OUTPUT', `cannot write to standard output: ${error.message}`, { cause: error });
}

/** The second after the first: the stream is closed by then. */
const READER_GONE: ReadonlySet<string> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED']);
