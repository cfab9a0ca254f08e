import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EventId } from '../history/event-id.js';

/** One file of the history: the events of one boot of the server from `first` on. */
export interface Segment {
  readonly path: string;
  readonly first: EventId;
  bytes: number;
}

/** The files of a folder that are segments, the oldest first. Throws what the file system says. */
export function listSegments(directory: string): Segment[] {
  return readdirSync(directory)
    .flatMap((name) => segmentOf(directory, name) ?? [])
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function segmentPath(directory: string, { epoch, number }: EventId): string {
  return join(directory, `events-${epoch}-${String(number).padStart(NUMBER_DIGITS, '0')}.ndjson`);
}

function segmentOf(directory: string, name: string): Segment | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const path = join(directory, name);
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status?.isFile()) return undefined;
  return { path, first: { epoch: match[1] as string, number: Number(match[2]) }, bytes: status.size };
}

/** Names stand in the order of their events. */
const NUMBER_DIGITS = 15;
const NAME = /^events-([0-9a-z]{8})-(\d{15})\.ndjson$/;
