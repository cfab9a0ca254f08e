/**
 * Measures what tracing costs, with real drops, rivals side by side:  npm run bench -- [options]
 *
 * Prints a table and writes it to bench/results/<date>-<kernel>.txt, all figures to the .json beside it. Ends with 0 when everything was measured and every drop
 * accounted for, whether targets are met or not; with 1 when not; with 2 for wrong usage.
 */
import { main } from '../scripts/lib/command.mjs';
import { CASE_NAMES } from './lib/cases.mjs';
import { MEASURE_NAMES } from './lib/measures.mjs';
import { FULL, QUICK } from './lib/options.mjs';
import { runBench } from './lib/program.mjs';
import { formatReport } from './lib/report.mjs';
import { judge } from './lib/targets.mjs';

await main(() =>
  runBench({
    ...{ command: 'bench', caseNames: CASE_NAMES, measureNames: MEASURE_NAMES },
    ...{ full: FULL, quick: QUICK, suffix: '' },
    measure: async (bench) => {
      const { cases, ...rest } = await bench.run();
      return { cases: { none: await bench.untraced(cases), ...cases }, ...rest };
    },
    ...{ judge, format: formatReport },
  }),
);
