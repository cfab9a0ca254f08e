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
  for (const name of needlessHooks(run)) fail(`${name} runs for accepted packets, and nothing here needs it`);
  const isDeclared = findHole(run, 'all', holes) !== undefined;
  if (run.refused !== undefined && isDeclared) verdict.skipped += 1;
  else if (run.refused !== undefined) fail(`traces nothing: ${run.refused.message}`);
  for (const [name, { outcome, words }] of run.cases) {
    const hole = findHole(run, name, holes);
    const kind = kindOf(run, outcome, hole);
    if (kind !== 'failed') verdict[kind] += 1;
    else if (hole) fail(`${name}: works, but docs/compatibility.md declares a hole`);
    else fail(...words.map((line) => `${name}: ${outcome}: ${line}`));
  }
  return verdict;
}

/** Hooks that every accepted packet would pay for: the kernel's own reasons suffice, or its counter. */
function needlessHooks({ start }) {
  const attached = start?.hooks.map(({ name }) => name) ?? [];
  return attached.filter((name) => PER_ACCEPTED_PACKET.has(name));
}

/** docs/adr/0012: all others run for refused sources alone. */
const PER_ACCEPTED_PACKET = new Set([
  'fexit/ip_route_input_noref',
  'fexit/fib_validate_source',
  'kretprobe/fib_validate_source',
]);

/** On the kernel of this machine a case may be skipped: what it lacks is nobody's to declare. */
function kindOf(run, outcome, hole) {
  if (outcome === 'ok') return hole ? 'failed' : 'passed';
  return hole || (run.kernel === 'own' && outcome === 'skipped') ? 'skipped' : 'failed';
}

/** The declared hole that a case falls into, if any: {kernels, cases, why}. */
export function findHole({ kernel, lockdown }, name, holes) {
  const run = lockdown ? `${kernel} ${lockdown}` : kernel;
  return holes.find(
    ({ kernels, cases }) => kernels.includes(run) && (cases.includes(name) || cases.includes('all')),
  );
}
