import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/lib/command.mjs';
import { StreamCheck } from './stream-check.mjs';

/** One `rpftrace attach`, and what becomes of its output. */
export function startReader(urls, words = []) {
  const program = join(root, 'bin', 'rpftrace');
  const child = spawn(process.execPath, [program, 'attach', ...urls, ...words, '-o', 'ndjson'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const check = new StreamCheck();
  const said = { stderr: '' };
  let onNews = () => undefined;
  child.stdout.on('data', (bytes) => {
    check.take(bytes);
    onNews();
  });
  child.stderr.on('data', (bytes) => {
    said.stderr += bytes;
    onNews();
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    check,
    pid: child.pid,
    until: (holds) =>
      new Promise((resolve, reject) => {
        onNews = () => holds(said) && resolve();
        ended.then(() => reject(new Error(`the reader ended: ${said.stderr}`)));
        onNews();
      }),
    stop: async () => {
      child.kill('SIGINT');
      await ended;
      return said;
    },
    kill: () => child.kill('SIGKILL'),
  };
}
