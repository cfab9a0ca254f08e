import type { IncomingMessage, ServerResponse } from 'node:http';
import { Doctor } from './doctor.js';
import { ResponseTarget } from './http/response-target.js';
import { type Exchange, type Route, sendJson } from './http/router.js';
import { type Encoding, NDJSON, SERVER_SENT } from './readers/encoding.js';
import { parseEventQuery } from './readers/query.js';
import { writeSnapshot } from './snapshot.js';
import type { ServerState } from './state.js';
import { statusOf } from './status.js';

/** All that can be asked for. */
export function routesOf(server: ServerState): Route[] {
  const doctor = new Doctor(server);
  return [
    { path: '/v1/events', answer: (exchange) => streamEvents(server, exchange) },
    {
      path: '/v1/incidents',
      answer: ({ response }) =>
        sendJson(response, { v: 1, kind: 'incidents', incidents: server.incidents.all }),
    },
    { path: '/v1/status', answer: ({ response }) => sendJson(response, statusOf(server)) },
    { path: '/v1/snapshot', answer: (exchange) => writeSnapshot(server, doctor, exchange) },
    { path: '/v1/doctor', answer: async ({ response }) => sendJson(response, await doctor.report()) },
    { path: '/metrics', answer: ({ response }) => sendMetrics(server, response) },
    { path: '/healthz', isPublic: true, answer: ({ response }) => sendWord(response, 200, 'ok') },
    {
      path: '/readyz',
      isPublic: true,
      answer: ({ response }) => sendWord(response, server.unready ? 503 : 200, server.unready ?? 'ok'),
    },
  ];
}

async function streamEvents(
  server: ServerState,
  { query, request, response, signal }: Exchange,
): Promise<void> {
  const encoding = encodingOf(request.headers.accept);
  const asked = parseEventQuery(withLastEventId(query, request));
  const read = server.readers.prepare(asked, encoding);
  response.writeHead(200, { 'content-type': encoding.contentType, 'rpftrace-epoch': server.journal.epoch });
  response.flushHeaders();
  if (request.method === 'GET') await read(new ResponseTarget(response, signal), signal);
  response.end();
}

async function sendMetrics({ metrics }: ServerState, response: ServerResponse): Promise<void> {
  const text = await metrics.text();
  response.writeHead(200, { 'content-type': metrics.contentType });
  response.end(text);
}

/** A browser that was cut off says which event it got last. */
function withLastEventId(query: URLSearchParams, { headers }: IncomingMessage): URLSearchParams {
  const last = headers['last-event-id'];
  if (typeof last !== 'string' || last === '') return query;
  const resumed = new URLSearchParams(query);
  resumed.delete('last');
  resumed.set('since', last);
  return resumed;
}

function encodingOf(accept: string | undefined): Encoding {
  return /\btext\/event-stream\b/.test(accept ?? '') ? SERVER_SENT : NDJSON;
}

/** For probes, which look at the status. */
function sendWord(response: ServerResponse, status: number, word: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${word}\n`);
}
