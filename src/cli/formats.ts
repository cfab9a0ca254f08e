/** What -o takes. */
export const FORMATS = ['table', 'ndjson', 'pcapng', 'hubble'] as const;
export type Format = (typeof FORMATS)[number];
