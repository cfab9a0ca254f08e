import type { IncomingMessage } from 'node:http';
import { printable } from '../printable.js';
import type { Place } from './place.js';
import { PlaceError } from './place-error.js';

/** The server takes no such question, and will not take it later. */
export class WrongQuestion extends PlaceError {}

/** What a server says that does not answer with 200. */
export async function refusalOf(place: Place, response: IncomingMessage): Promise<PlaceError> {
  const { statusCode: status = 0, headers } = response;
  const said = errorIn(await bodyOf(response));
  const { name } = place;
  switch (status) {
    case 401:
      if (place.token() === undefined) return denied(name, 'wants a token', place.tokenRemedies);
      return denied(name, 'wants a token, and not this one');
    case 403:
      return denied(name, `does not let this in: ${said?.message ?? `status ${status}`}`);
    case 429:
      // Without the time: that is another one at each try, and a trouble that lasts is told once.
      return denied(name, `lets nobody from here in for now: ${tooMany(said)}`, [
        `see that the token is the right one, and try again in ${seconds(headers['retry-after'])}`,
      ]);
    case 503:
      if (said?.code === 'E_TOO_MANY')
        return new PlaceError('E_TOO_MANY', name, said.message, { link: ': ' });
      return new PlaceError('E_UNREACHABLE', name, 'is not available now: status 503');
    case 502:
    case 504:
      return new PlaceError(
        'E_UNREACHABLE',
        name,
        `what stands before it does not reach it: status ${status}`,
        {
          link: ': ',
        },
      );
    default:
      if (status === 400 && said)
        return new WrongQuestion('E_USAGE', name, said.message, { link: ': ', remedies: said.remedies });
      return new PlaceError('E_NO_SERVER', name, oddAnswer(status, headers));
  }
}

interface Said {
  readonly code: string | undefined;
  /** Safe for a terminal. */
  readonly message: string;
  readonly remedies: readonly string[];
}

/** Undefined where it is none of a server of ours. */
function errorIn(body: string): Said | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: Partial<Record<string, unknown>> };
    if (typeof error?.message !== 'string') return undefined;
    const remedies = Array.isArray(error.remedies) ? error.remedies.slice(0, MAX_REMEDIES) : [];
    return {
      code: typeof error.code === 'string' ? error.code : undefined,
      message: shown(error.message),
      remedies: remedies.map((remedy) => shown(String(remedy))),
    };
  } catch {
    return undefined;
  }
}

/** As much of it as an error of ours has at most. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
      text += part;
      if (text.length > MAX_BODY) break;
    }
  } catch {
    // What came tells enough.
  }
  return text.slice(0, MAX_BODY);
}

function oddAnswer(status: number, { location, 'content-type': type }: IncomingMessage['headers']): string {
  if (location !== undefined && status >= 300 && status < 400)
    return `sends on to ${shown(location.replace(/[?#].*$/, ''))}: name that, if it is a rpftrace serve`;
  const what = type === undefined ? '' : ` (${shown(type)})`;
  return `answers with status ${status}${what}: this is no rpftrace serve, or something stands before it`;
}

function tooMany(said: Said | undefined): string {
  return said?.message ?? 'there were too many requests';
}

function seconds(retryAfter: string | undefined): string {
  return /^\d{1,6}$/.test(retryAfter ?? '') ? `${retryAfter} s` : 'a while';
}

function denied(name: string, reason: string, remedies?: readonly string[]): PlaceError {
  return new PlaceError('E_DENIED', name, reason, remedies && { remedies });
}

function shown(text: string): string {
  return printable(text.slice(0, MAX_SHOWN));
}

const MAX_BODY = 16 * 1024;
const MAX_SHOWN = 500;
const MAX_REMEDIES = 8;
