import { round } from '../lib/statistics.mjs';

/**
 * How a figure goes on over time: by least squares over the last third, when what is remembered of pods and incidents that are
 * gone has come to its bounds.
 */
export function trend(samples) {
  const late = samples.slice(Math.floor((samples.length * 2) / 3));
  const mean = (of) => late.reduce((sum, sample) => sum + of(sample), 0) / late.length;
  const [s, value] = [mean((sample) => sample.s), mean((sample) => sample.value)];
  const slope =
    mean((sample) => (sample.s - s) * (sample.value - value)) / mean((sample) => (sample.s - s) ** 2);
  const seconds = late.at(-1).s - late[0].s;
  return {
    mean: round(value, 1),
    most: round(Math.max(...late.map((sample) => sample.value)), 1),
    growth: round(slope * seconds, 1),
    over_s: round(seconds),
  };
}
