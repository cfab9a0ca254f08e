import type { ApiClient, ApiRequest } from './client.js';
import { ApiFailure } from './failure.js';
import { ListReader } from './list-reader.js';
import { type Resource, selectionOf } from './resource.js';
import type { Timing } from './timing.js';

export interface ListOptions {
  /** The server's cache may lie behind what was seen already: it is passed by. */
  readonly passCache: boolean;
  readonly inPages: boolean;
}

export interface Listed {
  /** Where a watch goes on from. */
  readonly version: string;
  /** Objects that were too large. */
  readonly tooLarge: number;
}

/**
 * Asks for all objects of a kind, a page at a time, and hands over each as it comes.
 *
 * @throws {ApiFailure} 'gone' when the version became too old before the last page.
 */
export async function listAll(
  client: ApiClient,
  resource: Resource,
  timing: Timing,
  options: ListOptions,
  take: (object: unknown) => void,
): Promise<Listed> {
  let next: string | undefined;
  let tooLarge = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const reader = new ListReader(take);
    await client.get(requestOf(resource, timing, options, next), (chunk) => reader.push(chunk));
    const envelope = reader.end();
    tooLarge += reader.tooLarge;
    if (envelope.continue === undefined) return { version: envelope.resourceVersion, tooLarge };
    if (envelope.continue === next) break;
    next = envelope.continue;
  }
  throw new ApiFailure('malformed', 'the list has no end');
}

/**
 * From the server's cache ("0") where it may be: with a field selector, anything else makes the server read the pods of all
 * nodes.
 */
function requestOf(
  resource: Resource,
  { pageMs: withinMs, idleMs }: Timing,
  { passCache, inPages }: ListOptions,
  next: string | undefined,
): ApiRequest {
  const { path, permission } = resource;
  const query: Record<string, string> = selectionOf(resource);
  if (inPages) query.limit = String(PAGE);
  if (next !== undefined) query.continue = next;
  else if (!passCache) Object.assign(query, { resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' });
  return { path, query, permission, withinMs, idleMs };
}

const PAGE = 500;
/** Times a page: more objects than etcd holds. */
const MAX_PAGES = 2000;
