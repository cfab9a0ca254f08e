import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TracerError } from '../errors.js';
import { printable } from '../printable.js';
import { NotOurs } from './not-ours.js';
import type { Place } from './place.js';
import { PlaceError } from './place-error.js';
import { refusalOf } from './refusal.js';

/**
 * Asks a server for something. Resolves with an answer of 200, whose body is still to be read; rejects with a TracerError that
 * names the place. Aborting the signal ends all of it.
 */
export async function request(place: Place, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const connection = await place.connect(signal);
  const token = tokenOf(place, connection);
  return await new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        createConnection: () => connection,
        signal,
        path: `${place.prefix}${path}`,
        maxHeaderSize: MAX_HEADERS,
        headers: {
          host: place.host,
          accept: 'application/x-ndjson, application/json',
          'user-agent': 'rpftrace',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        if (response.statusCode === 200) resolve(response);
        else refusalOf(place, response).then(reject, reject);
      },
    );
    sent.on('error', (error) => reject(brokenOff(place, error)));
    sent.end();
  });
}

/** Which one it is may depend on what was reached. */
function tokenOf(place: Place, connection: Duplex): string | undefined {
  try {
    return place.token();
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** A small answer of JSON. Rejects as request() does. */
export async function requestJson(place: Place, path: string, signal: AbortSignal): Promise<unknown> {
  const response = await request(place, path, signal);
  let text = '';
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += part;
    if (text.length > MAX_JSON) throw noServer(place, `answers ${path} with more than ${MAX_JSON} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw noServer(place, `answers ${path} with what is no JSON`);
  }
}

/** What a connection says that ended before its time. */
export function brokenOff(place: Place, error: Error): TracerError {
  if (error instanceof TracerError) return error;
  if (error instanceof NotOurs) return noServer(place, error.message);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'HPE_HEADER_OVERFLOW') return noServer(place, 'answers with too many headers');
  if (code.startsWith('HPE_'))
    return noServer(place, 'does not speak HTTP, or wants TLS (https://) where none was asked for');
  const why =
    code === 'ECONNRESET' || code === 'EPIPE'
      ? 'the other side closed the connection'
      : printable(error.message);
  return new PlaceError('E_UNREACHABLE', place.name, why, { link: ': ', cause: error });
}

export function noServer(place: Place, what: string): PlaceError {
  const reason = `${what}: this is no rpftrace serve, or something stands before it`;
  return new PlaceError('E_NO_SERVER', place.name, reason);
}

const MAX_HEADERS = 16 * 1024;
/** A status has some hundred bytes for each namespace and source of pods. */
const MAX_JSON = 4 << 20;
