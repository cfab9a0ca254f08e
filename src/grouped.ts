/** 1234567 as "1,234,567". Not toLocaleString(): that brings in some 5 MiB of locale data, and stays. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
