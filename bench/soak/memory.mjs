import { round } from '../lib/statistics.mjs';

/** How a figure goes on over time: by least squares over the second half, when everything has warmed up. */
export function trend(samples) {
  const half = samples.slice(Math.floor(samples.length / 2));
  const mean = (of) => half.reduce((sum, sample) => sum + of(sample), 0) / half.length;
  const [s, value] = [mean((sample) => sample.s), mean((sample) => sample.value)];
  const slope =
    mean((sample) => (sample.s - s) * (sample.value - value)) / mean((sample) => (sample.s - s) ** 2);
  const seconds = half.at(-1).s - half[0].s;
  return {
    mean: round(value, 1),
    most: round(Math.max(...half.map((sample) => sample.value)), 1),
    growth: round(slope * seconds, 1),
    over_s: round(seconds),
  };
}
