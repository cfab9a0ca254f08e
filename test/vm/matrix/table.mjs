/** What the outcomes look like in a table. */
export const MARKS = { ok: 'yes', 'not ok': 'NO', skipped: '-' };

/** Cases down, runs across, for a terminal. */
export function table(runs) {
  const names = [...new Set(runs.flatMap(({ cases }) => [...cases.keys()]))];
  const rows = [
    ['', ...runs.map(({ title }) => title)],
    ...names.map((name) => [name, ...runs.map((run) => mark(run, name))]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ')).join('\n');
}

/** Empty where the case was not run. */
export function mark({ cases }, name) {
  const outcome = cases.get(name)?.outcome;
  return outcome === undefined ? '' : MARKS[outcome];
}
