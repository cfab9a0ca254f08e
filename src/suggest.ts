/** The candidates that a person may have meant by `word`, the likeliest first, at most three. */
export function suggest(word: string, candidates: readonly string[]): string[] {
  const wanted = word.toLowerCase();
  const scored = candidates.map((candidate) => ({
    candidate,
    score: distance(wanted, candidate.toLowerCase()),
  }));
  const close = scored.filter(({ candidate, score }) => score <= Math.max(2, candidate.length / 3));
  const containing = scored.filter(
    ({ candidate }) => wanted.length > 2 && candidate.toLowerCase().includes(wanted),
  );
  const found = [...close.sort((a, b) => a.score - b.score), ...containing].map(({ candidate }) => candidate);
  return [...new Set(found)].slice(0, 3);
}

/** "; did you mean X or Y?", or nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const found = suggest(word, candidates);
  return found.length === 0 ? '' : `; did you mean ${found.join(' or ')}?`;
}

/** Levenshtein distance, with neighbours swapped counted as one. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...new Array<number>(b.length).fill(0)]);
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  const [first] = rows;
  for (let j = 1; first && j <= b.length; j++) first[j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      (rows[i] as number[])[j] = Math.min(
        at(i - 1, j) + 1,
        at(i, j - 1) + 1,
        at(i - 1, j - 1) + change,
        swap,
      );
    }
  }
  return at(a.length, b.length);
}
