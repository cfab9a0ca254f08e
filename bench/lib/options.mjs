import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { Stop } from '../../scripts/lib/command.mjs';

export const usageOf = ({ command, caseNames, measureNames }) => `usage: npm run ${command} -- [options]
  --quick            small counts and one run: shows that everything can be measured, not how fast it is
  --drops N          drops of a run at full speed (1000000)
  --runs N           rounds: a run with the tracer between two without (5)
  --patience SECONDS time to spend on waiting for a quiet machine and on repeating runs that others disturbed (120)
  --only CASE        ${caseNames.join(', ')} (repeatable; all)
  --measure WHAT     ${measureNames.join(', ')} (repeatable; all)
  --scratch DIR      where the tracers write their lines (${tmpdir()})
  --results DIR      where the result goes (bench/results)
`;

/** Reads the command line. Throws a Stop with exit code 2. */
export function readOptions(words, kind) {
  const given = parse(words, usageOf(kind));
  const preset = given.quick ? kind.quick : kind.full;
  return {
    ...preset,
    help: given.help ?? false,
    drops: wholeNumber('drops', given.drops) ?? preset.drops,
    runs: wholeNumber('runs', given.runs) ?? preset.runs,
    patienceSeconds: wholeNumber('patience', given.patience, 0) ?? preset.patienceSeconds,
    only: known('only', kind.caseNames, given.only),
    measures: known('measure', kind.measureNames, given.measure),
    scratch: given.scratch ?? tmpdir(),
    results: given.results,
  };
}

/** Seconds are those of a run at a fixed rate, of the latency run and of the idle run. */
export const FULL = {
  quick: false,
  drops: 1_000_000,
  runs: 5,
  patienceSeconds: 120,
  rates: [1000, 10_000, 100_000, 300_000],
  rateSeconds: 3,
  rateLeadSeconds: 1.5,
  starts: 11,
  latencySeconds: 5,
  idleSeconds: 10,
};
export const QUICK = {
  quick: true,
  drops: 20_000,
  runs: 1,
  patienceSeconds: 0,
  rates: [10_000],
  rateSeconds: 0.2,
  rateLeadSeconds: 0,
  starts: 1,
  latencySeconds: 0.5,
  idleSeconds: 0.5,
};

function parse(words, usage) {
  const text = { type: 'string' };
  const list = { type: 'string', multiple: true };
  const flag = { type: 'boolean' };
  const options = {
    quick: flag,
    help: { ...flag, short: 'h' },
    drops: text,
    runs: text,
    patience: text,
    only: list,
    measure: list,
    scratch: text,
    results: text,
  };
  try {
    return parseArgs({ args: words, options }).values;
  } catch (error) {
    throw new Stop(`${error.message}\n${usage}`, 2);
  }
}

function wholeNumber(name, word, least = 1) {
  if (word === undefined) return undefined;
  if (/^\d{1,9}$/.test(word) && Number(word) >= least) return Number(word);
  throw new Stop(`--${name}: '${word}' is not a whole number from ${least} on`, 2);
}

function known(name, names, words = names) {
  const unknown = words.find((word) => !names.includes(word));
  if (unknown === undefined) return names.filter((candidate) => words.includes(candidate));
  throw new Stop(`--${name}: '${unknown}' is none of ${names.join(', ')}`, 2);
}
