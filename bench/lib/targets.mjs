/** What was promised, for these figures of a case. `at`: where the figure stands in the case's results. */
const TARGETS = [
  { case: 'default', at: 'flood.ratio', atLeast: 0.95 },
  { case: 'default', at: 'flood.lost', atMost: 0 },
  { case: 'default', at: 'flood.untold', atMost: 0 },
  { case: 'default', at: 'bpf.ns_per_drop', atMost: 150 },
  { case: 'default', at: 'start.attached_ms', atMost: 250 },
  { case: 'default', at: 'peak_rss_mb', below: 90 },
  { case: 'every', at: 'flood.ratio', atLeast: 0.8 },
  { case: 'every', at: 'flood.events_per_second', atLeast: 250_000 },
  { case: 'every', at: 'flood.lost', atMost: 0 },
  { case: 'every', at: 'flood.untold', atMost: 0 },
  { case: 'every', at: 'start.attached_ms', atMost: 250 },
  { case: 'every', at: 'latency.p99_ms', below: 10 },
  { case: 'every', at: 'peak_rss_mb', below: 90 },
  { case: 'every-pods', at: 'flood.events_per_second', atLeast: 250_000 },
  { case: 'every-pods', at: 'flood.lost', atMost: 0 },
  { case: 'every-pods', at: 'peak_rss_mb', below: 90 },
];

/** The targets whose figures were measured, each with its figure and whether it is met. */
export function judge(cases) {
  return judgeTargets(TARGETS, cases);
}

/** The same of other targets. */
export function judgeTargets(targets, cases) {
  return targets
    .map((target) => ({ ...target, value: figure(cases[target.case], target.at) }))
    .filter(({ value }) => value !== undefined)
    .map((target) => ({ ...target, met: isMet(target) }));
}

/** The figure at a path like "flood.ratio"; undefined where it was not measured. */
export function figure(result, at) {
  if (at === 'peak_rss_mb') return peakRss(result);
  return at.split('.').reduce((part, key) => part?.[key], result);
}

/** At any rate: the highest of all runs. */
function peakRss({ flood, rates = [] } = {}) {
  const peaks = [flood, ...rates].flatMap((run) => run?.peak_rss_mb ?? []);
  return peaks.length > 0 ? Math.max(...peaks) : undefined;
}

function isMet({ value, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY, below }) {
  return value >= atLeast && value <= atMost && (below === undefined || value < below);
}
