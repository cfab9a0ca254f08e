import { TracerError } from '../../errors.js';

export function cannotKeep(directory: string, error: Error): TracerError {
  return new TracerError('E_OUTPUT', `cannot keep history in ${directory}: ${error.message}`, {
    cause: error,
    remedies: ['give a folder that can be written to: --history-dir DIR', 'or keep history in memory only'],
  });
}
