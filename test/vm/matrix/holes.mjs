/**
 * Holds the outcomes of a run against the holes that are declared: {passed, failed, skipped, words}. A case that is not as
 * expected and not declared fails; so does one that is declared and works: the document must be true both ways.
 */
export function judgeRun(run, holes) {
  const verdict = { passed: 0, failed: 0, skipped: 0, words: [] };
  const fail = (...words) => {
    verdict.failed += 1;
    verdict.words.push(...words.map((line) => `${run.title}: ${line}`));
  };
  if (run.died !== undefined) fail(`ended early: ${run.died}`);
  if (run.refused !== undefined) {
    if (findHole(run, 'all', holes)) verdict.skipped += 1;
    else fail(`traces nothing: ${run.refused.message}`);
  }
  for (const [name, { outcome, words }] of run.cases) {
    const hole = findHole(run, name, holes);
    const mayBeSkipped = hole || (run.kernel === 'own' && outcome === 'skipped');
    if (outcome === 'ok' && hole) fail(`${name}: works, but docs/compatibility.md declares a hole`);
    else if (outcome === 'ok') verdict.passed += 1;
    else if (mayBeSkipped) verdict.skipped += 1;
    else fail(...words.map((line) => `${name}: ${outcome}: ${line}`));
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
