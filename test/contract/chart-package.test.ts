import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CHART, renderChart } from '../../scripts/lib/chart.mjs';
import { HELMS } from '../support/chart.js';

describe.each(Object.entries(HELMS))('the package that %s makes of the chart', (_name, helm) => {
  const folder = mkdtempSync(join(tmpdir(), 'rpfchart-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has what belongs to the chart, and nothing that was left lying in it', () => {
    const used = join(folder, 'rpftrace');
    cpSync(CHART, used, { recursive: true });
    for (const name of LEFT_BEHIND) writeFileSync(join(used, name), 'not: ours\n');
    expect(filesIn(packageOf(used)).sort()).toEqual(filesOf(CHART).sort());
  });

  it('makes the same objects', () => {
    expect(renderChart(helm, { chart: packageOf(CHART) })).toBe(renderChart(helm));
  });

  function packageOf(chart: string): string {
    const told = execFileSync(helm, ['package', chart, '--destination', folder], { encoding: 'utf8' });
    return /saved it to: (.*\.tgz)$/m.exec(told)?.[1] ?? '';
  }
});

const LEFT_BEHIND = [
  '.values.yaml.swp',
  'rpftrace-0.0.9.tgz',
  'values.yaml.bak',
  'templates/daemonset.yaml.orig',
  'templates/rbac.yaml~',
];

function filesIn(tarball: string): string[] {
  return execFileSync('tar', ['tf', tarball], { encoding: 'utf8' }).trimEnd().split('\n');
}

/** As they are named in a package of it. */
function filesOf(chart: string): string[] {
  const entries = readdirSync(chart, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== '.helmignore')
    .map(({ parentPath, name }) => join(basename(chart), parentPath.slice(chart.length), name));
}
