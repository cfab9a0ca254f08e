/**
 * Holds the outcomes of a run against the holes that are declared: {passed, failed, skipped, words}. A case that is not as
 * expected and not declared fails; so does one that is declared and works: the document must be true both ways.
 */
export function judgeRun(run, holes) {
  const verdict = { passed: 0, failed: 0, skipped: 0, words: [] };
  if (run.died !== undefined) {
    verdict.failed += 1;
    verdict.words.push(`${run.title}: ended early: ${run.died}`);
  }
  for (const [name, { outcome, words }] of run.cases) {
    const hole = findHole(run, name, holes);
    const isHole = outcome !== 'ok';
    if (isHole && !hole && !(run.kernel === 'own' && outcome === 'skipped')) {
      verdict.failed += 1;
      verdict.words.push(...words.map((line) => `${run.title}: ${name}: ${outcome}: ${line}`));
    } else if (!isHole && hole) {
      verdict.failed += 1;
      verdict.words.push(`${run.title}: ${name}: works, but docs/compatibility.md declares a hole`);
    } else {
      verdict[isHole ? 'skipped' : 'passed'] += 1;
    }
  }
  return verdict;
}

/** The declared hole that a case falls into, if any: {kernels, cases, why}. */
export function findHole({ kernel, lockdown }, name, holes) {
  const run = lockdown ? `${kernel} ${lockdown}` : kernel;
  return holes.find(
    ({ kernels, cases }) => kernels.includes(run) && (cases.includes(name) || cases.includes('all')),
  );
}
