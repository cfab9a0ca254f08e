/** What -o takes. */
export const FORMATS = ['table', 'ndjson', 'pcapng'] as const;
export type Format = (typeof FORMATS)[number];
