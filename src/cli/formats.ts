/** What -o takes. */
export const FORMATS = ['table', 'ndjson', 'pcapng', 'hubble'] as const;
export type Format = (typeof FORMATS)[number];

/** In which format, and into what. */
export interface FormatOptions {
  readonly output?: Format;
  readonly out?: string;
  readonly rotateSize?: number;
  readonly rotateKeep?: number;
  readonly snaplen?: number;
}

/** Packet bytes that are asked for; a format of packets wants some. */
export function snaplenOf({ output, snaplen }: FormatOptions): number | undefined {
  return snaplen ?? (output === 'pcapng' ? PCAPNG_SNAPLEN : undefined);
}

/** Headers of tunnels too, and the beginning of what was in them. */
const PCAPNG_SNAPLEN = 256;
