/**
 * Measures what a server, its readers and each sink cost, with real drops:  npm run bench:serve -- [options]
 *
 * Prints a table and writes it to bench/results/<date>-<kernel>-serve.txt, all figures to the .json beside it. Ends with 0 when everything was measured and every
 * drop accounted for, whether targets are met or not; with 1 when not; with 2 for wrong usage.
 */
import { main } from '../scripts/lib/command.mjs';
import { FULL, QUICK } from './lib/options.mjs';
import { runBench } from './lib/program.mjs';
import { CASE_NAMES, CASES, chooseServeCases } from './lib/serve-cases.mjs';
import { SERVE_MEASURE_NAMES, SERVE_MEASURES } from './lib/serve-measures.mjs';
import { formatServe, judgeServe } from './lib/serve-report.mjs';

await main(() =>
  runBench({
    ...{ command: 'bench:serve', caseNames: CASE_NAMES, measureNames: SERVE_MEASURE_NAMES },
    ...{ choose: chooseServeCases, measures: SERVE_MEASURES },
    full: { ...FULL, runs: 3, rates: [100_000], idleSeconds: 60, settleSeconds: 5 },
    quick: { ...QUICK, rates: [20_000], settleSeconds: 0 },
    measure: (bench) => bench.run(),
    judge: judgeServe,
    ...{ format: (result) => formatServe(result, CASES), suffix: '-serve' },
  }),
);
