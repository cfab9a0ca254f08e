/** NaN for an empty list. */
export function median(values) {
  return quantile(values, 0.5);
}

/** The value below which `share` of the values lie; between two of them their mean, weighted. NaN for an empty list. */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/** Rounded to so many digits behind the point. */
export function round(value, digits = 0) {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}
