import type { Config } from './config/schema.js';
import type { Doctor } from './doctor.js';
import { Cursor } from './history/cursor.js';
import { lastOf } from './history/search.js';
import { formatAddress } from './http/address.js';
import { ResponseTarget } from './http/response-target.js';
import type { Exchange } from './http/router.js';
import type { ServerState } from './state.js';
import { statusOf } from './status.js';

/** All that is known now, as one JSON file to attach to a ticket: how it is, incidents, what the doctor says, the newest events. */
export async function writeSnapshot(server: ServerState, doctor: Doctor, exchange: Exchange): Promise<void> {
  const { request, response, signal } = exchange;
  const report = await doctor.report().catch((error: Error) => ({ error: error.message }));
  const head = {
    v: 1,
    kind: 'snapshot',
    status: statusOf(server),
    config: withoutSecrets(server.config),
    incidents: server.incidents.all,
    doctor: report,
  };
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[:-]/g, '');
  const name = `rpftrace-${server.node.replaceAll(/[^\w.-]/g, '_')}-${time}Z.json`;
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-disposition': `attachment; filename="${name}"`,
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const target = new ResponseTarget(response, signal);
  await target.write(`${JSON.stringify(head).slice(0, -1)},"events":[`);
  await writeEvents(server, target);
  response.end(']}\n');
}

/** Up to those that were there when it began. */
async function writeEvents({ journal }: ServerState, target: ResponseTarget): Promise<void> {
  const end = journal.nextNumber;
  const cursor = new Cursor(journal, lastOf(journal, MAX_EVENTS, undefined));
  for (let separator = '\n'; cursor.number < end; separator = ',\n') {
    cursor.takeLoss();
    const span = cursor.next();
    if (span === undefined) return;
    const { chunk, from, to } = span;
    const text = chunk.bytes.toString('utf8', chunk.startOf(from), chunk.startOf(to));
    await target.write(separator + text.trimEnd().replaceAll('\n', ',\n'));
  }
}

function withoutSecrets({ token, listen, ...config }: Config): object {
  return {
    ...config,
    listen: listen.map(formatAddress),
    has_token: token !== undefined || config.token_file !== undefined,
  };
}

const MAX_EVENTS = 10_000;
