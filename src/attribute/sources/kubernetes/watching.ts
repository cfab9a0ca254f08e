import type { ApiClient } from './client.js';
import { type Resource, selectionOf } from './resource.js';
import type { Timing } from './timing.js';
import { type WatchEvent, WatchReader } from './watch-reader.js';

export interface WatchTaker {
  event(event: WatchEvent): void;
  /** The server answered, or sent more. */
  heard(): void;
}

/** Hands over what becomes of the objects of a kind from a version on, until the server ends the stream. */
export async function watchFrom(
  version: string,
  client: ApiClient,
  resource: Resource,
  timing: Timing,
  taker: WatchTaker,
): Promise<void> {
  const { path, permission } = resource;
  // A thousand nodes must not come back at the same moment.
  const watchMs = timing.watchMs * (1 + Math.random() / 4);
  const withinMs = watchMs + timing.watchGraceMs;
  const query = {
    ...selectionOf(resource),
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: version,
    timeoutSeconds: String(Math.max(1, Math.round(watchMs / 1000))),
  };
  const reader = new WatchReader((event) => taker.event(event));
  const take = (chunk: Buffer) => {
    reader.push(chunk);
    taker.heard();
  };
  // Silence means that nothing changes: idleness has no bound of its own.
  await client.get({ path, query, permission, withinMs, idleMs: withinMs }, take, () => taker.heard());
}
