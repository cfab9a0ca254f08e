import { type Command, Option } from 'commander';
import { EXIT, TracerError } from '../errors.js';
import { CASES, findCase, type LabCase } from '../lab/cases.js';
import { DEFAULT_NAME, Lab } from '../lab/lab.js';
import { provoke } from '../lab/provoke.js';
import { expectations, firstMissing, runLab } from '../lab/run.js';
import { PLACES } from '../lab/topology.js';
import { didYouMean } from '../suggest.js';
import { addHelpCommand } from './help.js';
import { dieBy, Signals } from './signals.js';
import { parseInteger } from './units.js';

interface NameOption {
  readonly name: string;
}

interface CountOption extends NameOption {
  readonly count: number;
}

/** Adds `rpftrace lab` and what belongs to it. */
export function registerLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('rebuild the incident on this machine, in network namespaces of its own');
  lab.command('up').description('build it, anew if it is there').addOption(nameOption()).action(up);
  lab
    .command('drop')
    .description('make the kernel drop packets')
    .argument('<case>', 'what to provoke; the list is below')
    .addOption(nameOption())
    .addOption(countOption())
    .addHelpText('after', `\nCases:\n${listCases()}`)
    .action(drop);
  lab.command('down').description('remove it').addOption(nameOption()).action(down);
  lab
    .command('run')
    .description('build it, trace it, provoke every case, compare, remove it')
    .argument('[case...]', 'only these')
    .addOption(nameOption())
    .addOption(countOption())
    .action(runCases);
  addHelpCommand(lab);
}

async function up({ name }: NameOption): Promise<void> {
  const lab = new Lab(name);
  await interruptible(async (signal) => {
    await lab.up(signal);
  });
  const option = name === DEFAULT_NAME ? '' : ` --name ${name}`;
  say(`Up: ${PLACES.map((place) => lab.netns(place)).join(', ')}`);
  say(`Trace it:   rpftrace trace --netns ${lab.netns('node')}`);
  say(`Drop:       rpftrace lab drop strict${option}`);
  say(`Remove it:  rpftrace lab down${option}`);
}

async function down({ name }: NameOption): Promise<void> {
  await interruptible(() => new Lab(name).down());
}

async function drop(word: string, { name, count }: CountOption): Promise<void> {
  const labCase = caseNamed(word);
  const lab = new Lab(name);
  if (!lab.isUp) {
    throw new TracerError('E_LAB', `the lab '${name}' is not up`, { remedies: ['run: rpftrace lab up'] });
  }
  await interruptible(async (signal) => {
    const lack = await firstMissing(lab, labCase);
    if (lack !== undefined) throw new TracerError('E_LAB', `this machine cannot provoke '${word}': ${lack}`);
    const { sent } = await provoke(lab, labCase, count, signal);
    say(`${labCase.name}: ${labCase.about}`);
    say(`Sent ${sent.sent}. The kernel must report:`);
    for (const line of expectations(labCase, count)) say(`    ${line}`);
  });
}

async function runCases(words: string[], { name, count }: CountOption): Promise<void> {
  const cases = words.length === 0 ? CASES : words.map(caseNamed);
  await interruptible(async (signal) => {
    const isAsExpected = await runLab(name, { cases, count, print: say, signal });
    if (!isAsExpected) process.exitCode = EXIT.failed;
  });
}

/**
 * Runs work that cleans up after itself when its signal is aborted, as SIGINT, SIGTERM, SIGHUP and a reader that is gone do.
 * A signal then ends the process.
 */
async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const signals = new Signals();
  const controller = new AbortController();
  const onReaderGone = () => controller.abort(new TracerError('E_READER_GONE', 'nobody reads any more'));
  let caught: NodeJS.Signals | undefined;
  signals.first.then((signal) => {
    caught = signal;
    controller.abort(new TracerError('E_CLOSED', `ended by ${signal}`));
  });
  process.stdout.on('error', onReaderGone);
  try {
    await work(controller.signal);
  } finally {
    signals.remove();
    if (caught) dieBy(caught);
  }
}

function caseNamed(word: string): LabCase {
  const labCase = findCase(word);
  if (labCase) return labCase;
  const names = CASES.map(({ name }) => name);
  throw new TracerError('E_UNKNOWN_CASE', `there is no case '${word}'${didYouMean(word, names)}`);
}

function nameOption(): Option {
  return new Option('--name <name>', 'its network namespaces are NAME-pod, NAME-node, ...').default(
    DEFAULT_NAME,
  );
}

function countOption(): Option {
  return new Option('--count <n>', 'packets for each case').default(5).argParser(parseInteger(1, MAX_COUNT));
}

function listCases(): string {
  const width = Math.max(...CASES.map(({ name }) => name.length));
  return CASES.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** More than this is a benchmark: npm run bench. */
const MAX_COUNT = 1_000_000;
