import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, Stop } from '../../../scripts/lib/command.mjs';
import { findHole } from './holes.mjs';
import { mark } from './table.mjs';
import { verifiedIn } from './verifier.mjs';

const DOCUMENT = join(root, 'docs', 'compatibility.md');
const BEGIN = '<!-- Made by npm run test:kernels -- --write. -->';
const END = '<!-- End of what was made. -->';

/** The holes that the document declares: the rows of the table under "Holes", as {kernels, cases, why}. */
export function readHoles() {
  const sections = readFileSync(DOCUMENT, 'utf8').split(/^## /m);
  const section = sections.find((text) => text.startsWith('Holes\n'));
  if (section === undefined) throw new Stop('docs/compatibility.md has no section "Holes"');
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => {
      const [kernels, cases, why] = line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim());
      return { kernels: words(kernels), cases: words(cases), why };
    });
}

/** Replaces what an earlier run has written: the runs, what became of each case, and what verifiers say. `about` is a line on all of it. */
export function writeTable(runs, about) {
  const text = readFileSync(DOCUMENT, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Stop(`docs/compatibility.md lacks ${BEGIN} or ${END}`);
  const tables = [hooksTable(runs), casesTable(runs), verifierTable(runs)];
  const made = [BEGIN, about, ...tables, ''].join('\n\n');
  writeFileSync(DOCUMENT, text.slice(0, begin) + made + text.slice(end));
}

function hooksTable(runs) {
  return markdown([
    ['kernel', 'hooks', 'what is missing', 'seconds'],
    ...runs.map((run) => [run.title, hooksOf(run), missingIn(run), String(run.seconds)]),
  ]);
}

function hooksOf({ start }) {
  return start?.hooks.map(({ name }) => `\`${name}\``).join(', ') ?? 'none';
}

function missingIn({ start, refused, died }) {
  if (refused) return `everything: \`${refused.code}\`, ${refused.message}`;
  const missing = start?.degraded.map(({ feature, why }) => `\`${feature}\`: ${why}`) ?? [];
  return [...missing, ...(died ? [`ended early: ${died}`] : [])].join('; ') || 'nothing';
}

function casesTable(runs) {
  const holes = readHoles();
  const names = [...new Set(runs.flatMap(({ cases }) => [...cases.keys()]))];
  return markdown([
    ['case', ...runs.map(({ title }) => title)],
    ...names.map((name) => [
      `\`${name}\``,
      ...runs.map((run) => (findHole(run, name, holes) ? 'hole' : mark(run, name))),
    ]),
  ]);
}

/** Programs down, kernels across: instructions that the verifier processed, of each compiler. */
function verifierTable(runs) {
  const found = runs.filter((run) => verifiedIn(run).length > 0);
  const compilers = [...new Set(found.flatMap((run) => verifiedIn(run).map(([compiler]) => compiler)))];
  const counts = (run, program) =>
    compilers.map((compiler) => new Map(verifiedIn(run)).get(compiler)?.[program] ?? '-');
  const programs = new Set(found.flatMap((run) => verifiedIn(run).flatMap(([, all]) => Object.keys(all))));
  return markdown([
    [`instructions processed, ${compilers.join(' / ')}`, ...found.map(({ title }) => title)],
    ...[...programs].sort().map((program) => [
      `\`${program}\``,
      ...found.map((run) => {
        const cells = counts(run, program);
        return cells.every((cell) => cell === '-') ? '' : cells.join(' / ');
      }),
    ]),
  ]);
}

function markdown([head, ...rows]) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function words(cell) {
  return cell.split(',').map((word) => word.trim().replaceAll('`', ''));
}
