import type { AuthorizedRequest, Credentials } from './credentials.js';
import { ApiFailure } from './failure.js';
import { pause, seconds, type Timing } from './timing.js';

/**
 * What the next request is sent with. A plugin may wait for somebody to log in; nobody waits for it.
 *
 * @throws {ApiFailure} 'credentials' when there are none in time.
 */
export async function authorizeInTime(
  credentials: Credentials,
  { credentialsMs }: Timing,
  signal: AbortSignal,
): Promise<AuthorizedRequest> {
  const work = credentials.authorize();
  // It may fail when nobody listens any more.
  work.catch(() => {});
  const waiting = new AbortController();
  const late = pause(credentialsMs, AbortSignal.any([signal, waiting.signal]));
  const authorized = await Promise.race([work, late]).finally(() => waiting.abort());
  signal.throwIfAborted();
  if (authorized) return authorized;
  const why = `there were no credentials within ${seconds(credentialsMs)}: does a plugin wait for a login?`;
  throw new ApiFailure('credentials', why);
}
