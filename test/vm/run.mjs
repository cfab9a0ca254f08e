/**
 * Boots another kernel and runs a command in it:
 *
 *     node test/vm/run.mjs --kernel 6.1 [--arch arm64] [--append PARAMETERS] [--share DIR] [--cpus N | --count-instructions] [--timeout SECONDS] -- COMMAND
 *
 * --count-instructions: the clocks there count the instructions of its one CPU, in nanoseconds.
 * COMMAND is a line for bash, run as root where the package is. DIR appears at /share. Ends with the command's exit code; with
 * 125 when the machine died, and then prints what its kernel said last.
 */
import { parseArgs } from 'node:util';
import { main, Stop } from '../../scripts/lib/command.mjs';
import { requireArch } from './lib/arch.mjs';
import { runInMachine } from './lib/machine.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: 'string' },
    arch: { type: 'string', default: 'x64' },
    append: { type: 'string', default: '' },
    share: { type: 'string' },
    cpus: { type: 'string', default: '2' },
    'count-instructions': { type: 'boolean' },
    timeout: { type: 'string', default: '600' },
  },
});

await main(async () => {
  if (!values.kernel || positionals.length === 0)
    throw new Stop('usage: node test/vm/run.mjs --kernel NAME -- COMMAND', 2);
  const { code, console: kernelLog } = await runInMachine({
    kernel: values.kernel,
    arch: requireArch(values.arch),
    command: positionals.join(' '),
    append: values.append,
    shares: values.share ? { '/share': values.share } : {},
    cpus: Number(values.cpus),
    countsInstructions: values['count-instructions'] ?? false,
    timeoutMs: Number(values.timeout) * 1000,
    onStdout: (text) => process.stdout.write(text),
    onStderr: (text) => process.stderr.write(text),
  });
  if (code === undefined) process.stderr.write(`the machine died; its kernel said:\n${tail(kernelLog)}\n`);
  process.exitCode = code ?? 125;
});

function tail(text) {
  const lines = text.split('\n');
  const oops = lines.findIndex((line) => /Oops|BUG:|Kernel panic|general protection/.test(line));
  return (oops >= 0 ? lines.slice(Math.max(0, oops - 3), oops + 40) : lines.slice(-25)).join('\n');
}
