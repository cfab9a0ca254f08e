import { isSea } from 'node:sea';
import { Argument, Command, CommanderError } from 'commander';
import { EXIT, exitCodeOf, formatError, TracerError, toTracerError } from '../errors.js';
import { packageText } from '../package-file.js';
import { printable } from '../printable.js';
import { didYouMean } from '../suggest.js';
import { VERSION } from '../version.js';
import type { AttachOptions } from './attach-options.js';
import { addHelpCommand } from './help.js';
import { print } from './print.js';
import { say } from './say.js';
import { startTrace } from './start-trace.js';
import { addTraceOptions, type TraceOptions } from './trace-options.js';

/** Runs the program with `argv` as node gives it and returns its exit code. Never throws. */
export async function main(given: readonly string[]): Promise<number> {
  const result: Result = { exitCode: EXIT.done };
  try {
    const argv = given[2] === 'kubectl' ? await fromKubectl(given) : given;
    const program = makeProgram(result);
    if (mentions(argv, 'doctor')) await addDoctor(program, result);
    if (mentions(argv, 'serve')) await addServe(program, result);
    if (mentions(argv, 'attach')) await addAttach(program, result);
    if (mentions(argv, 'lab')) await addLab(program);
    addHelpCommand(program);
    await program.parseAsync(argv).catch(unlessHelp);
    await result.printed;
    return Number(process.exitCode ?? result.exitCode);
  } catch (thrown) {
    const error = toUsageError(thrown);
    say(formatError(error), 'error');
    return exitCodeOf(error);
  }
}

interface Result {
  exitCode: number;
  /** Help, or the version. */
  printed?: Promise<void>;
}

function makeProgram(result: Result): Command {
  const program = new Command('rpftrace')
    .description('Tells which packets the kernel drops, on which device, and why.')
    .version(VERSION, '--version')
    .exitOverride()
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => {
        result.printed = Promise.all([result.printed, print(text)]).then(() => undefined);
      },
    });
  addTraceOptions(program.command('trace', { isDefault: true }))
    .description('stream drops (default command)')
    .argument('[expression...]', "pcap-filter(7) expression, as for tcpdump: 'tcp and dst port 443'")
    .action(async (words: string[], options: TraceOptions) => {
      result.exitCode = await startTrace(words, options).catch((error) => {
        throw mistakenCommand(error, words) ?? error;
      });
    });
  program
    .command('schema')
    .description('print the JSON Schema of the events, or of what doctor tells')
    .addArgument(new Argument('[what]').choices(['events', 'doctor']).default('events'))
    .action(async (what: string) => {
      const schema =
        what === 'doctor'
          ? (await import('../doctor/report.js')).reportSchema()
          : (await import('../events.js')).jsonSchema();
      await print(`${JSON.stringify(schema, null, 2)}\n`);
    });
  if (isSea()) addLicences(program);
  return program;
}

/** Elsewhere they are files of the package. */
function addLicences(program: Command): void {
  program
    .command('licences')
    .description('print the copyrights and licences of what is inside of this file')
    .action(async () => await print(packageText('THIRD_PARTY')));
}

/** A word that is no filter expression may have been meant as a command: trace is the default one. */
function mistakenCommand(error: unknown, words: readonly string[]): TracerError | undefined {
  const [word, ...more] = words;
  if (!(error instanceof TracerError) || error.code !== 'E_EXPRESSION' || more.length > 0) return undefined;
  const hint = didYouMean(word as string, COMMANDS);
  if (hint === '') return undefined;
  return new TracerError(
    'E_USAGE',
    `${printable(word as string)} is no command and no filter expression${hint}`,
  );
}

const COMMANDS = ['trace', 'doctor', 'serve', 'attach', 'schema', 'lab', 'help'];

/** What is hardly ever used is loaded only where it is used or listed: start-up time is a feature. */
function mentions(argv: readonly string[], command: string): boolean {
  return [command, 'help', '--help', '-h'].some((word) => argv.includes(word));
}

async function addDoctor(program: Command, result: { exitCode: number }): Promise<void> {
  const { registerDoctor } = await import('./doctor.js');
  registerDoctor(program, (exitCode) => {
    result.exitCode = exitCode;
  });
}

async function addServe(program: Command, result: { exitCode: number }): Promise<void> {
  const { registerServe } = await import('./serve.js');
  registerServe(program, (exitCode) => {
    result.exitCode = exitCode;
  });
}

async function addAttach(program: Command, result: { exitCode: number }): Promise<void> {
  const { addAttachOptions } = await import('./attach-options.js');
  const command = addAttachOptions(program.command('attach'));
  command.action(async (places: string[], options: AttachOptions) => {
    const { attach } = await import('./attach.js');
    result.exitCode = await attach(places, options);
  });
}

/** bin/kubectl-rpftrace says so. */
async function fromKubectl([node = '', program = '', , ...words]: readonly string[]): Promise<string[]> {
  const { attachWords } = await import('./kubectl.js');
  return [node, program, ...(await attachWords(words))];
}

async function addLab(program: Command): Promise<void> {
  const { registerLab } = await import('./lab.js');
  registerLab(program);
}

/** Commander throws when it has printed help or the version. */
function unlessHelp(thrown: unknown): void {
  if (thrown instanceof CommanderError && (thrown.exitCode === 0 || thrown.code === 'commander.help')) return;
  throw thrown;
}

function toUsageError(thrown: unknown): TracerError {
  if (!(thrown instanceof CommanderError)) return toTracerError(thrown);
  const message = thrown.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)$/s, '; did you mean $1?');
  return new TracerError('E_USAGE', message);
}
