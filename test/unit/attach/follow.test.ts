import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createRawServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { follow } from '../../../src/attach/follow.js';
import type { FollowState } from '../../../src/attach/follow-options.js';
import type { Place } from '../../../src/attach/place.js';
import type { Question } from '../../../src/attach/question.js';
import type { Received } from '../../../src/attach/received.js';
import { tcpPlace } from '../../../src/attach/sockets.js';
import { tokenReader } from '../../../src/attach/token.js';
import { formatError, TracerError } from '../../../src/errors.js';
import type { EventId } from '../../../src/serve/history/event-id.js';
import { temporaryDirectory } from '../../fixtures/directory.js';
import { dropEventOf } from '../../fixtures/event.js';

afterEach(() => {
  vi.useRealTimers();
});

describe('a connection that breaks', () => {
  test('is made again behind the last whole event: none is missing, none comes twice', async () => {
    const { place, asked } = await serve(
      (response) => {
        response.write(`${drop(1)}${drop(2)}${drop(3)}`);
        response.write(drop(4).slice(0, 50), () => response.destroy());
      },
      (response) => response.write(`${drop(3)}${drop(4)}${drop(5)}`),
    );
    const { ids, states } = await followTo(place, 5);
    expect(ids).toEqual([1, 2, 3, 4, 5]);
    expect(asked[1]?.get('since')).toBe(`${EPOCH}-3`);
    expect(states.map(({ kind }) => kind)).toEqual(['connected', 'disconnected', 'resumed']);
    expect(states[2]).toMatchObject({ missing: { events: 0 } });
  });

  test('asks once more for what it asked first as long as nothing came, and for what follows once something has', async () => {
    const { place, asked } = await serve(
      (response) => response.write('\n', () => response.destroy()),
      (response) => response.write(`{"position":"${EPOCH}-7"}\n`, () => response.destroy()),
      (response) => response.write(drop(8)),
    );
    const question = { ...ALL, last: '3', filters: { kind: ['drop'], rpf_only: 'true' } };
    const { ids } = await followTo(place, 1, { question });
    expect(ids).toEqual([8]);
    expect(asked.map((query) => [query.get('last'), query.get('since')])).toEqual([
      ['3', null],
      ['3', null],
      [null, `${EPOCH}-7`],
    ]);
    expect(asked[2]?.getAll('kind')).toEqual(['drop']);
    expect(asked[2]?.get('rpf_only')).toBe('true');
  });

  test('tells what the server has forgotten meanwhile', async () => {
    const { place } = await serve(
      (response) => response.write(drop(1), () => response.destroy()),
      (response) => response.write(`${lost(41, 'it was started again')}${drop(43)}`),
    );
    const { states } = await followTo(place, 3);
    expect(states.at(-1)).toEqual({
      kind: 'resumed',
      epoch: EPOCH,
      missing: { events: 41, unknown: 'it was started again' },
    });
  });

  test('tells of a loss once: the next one begins behind it, which is not yet the newest there is', async () => {
    const { place, asked } = await serve(
      (response) => response.write(`${lost(41, 'x')}{"position":"${EPOCH}-41"}\n`, () => response.destroy()),
      (response) => response.write(`{"position":"${EPOCH}-42"}\n${drop(43)}`),
    );
    const positions: number[] = [];
    await followTo(place, 2, { onPosition: ({ number }) => positions.push(number) });
    expect(asked[1]?.get('since')).toBe(`${EPOCH}-41`);
    expect(positions).toEqual([42]);
  });

  test('of which the other side closes its half is made again', async () => {
    let connections = 0;
    const port = await listenRaw((socket) => {
      const event = drop(++connections);
      const size = Buffer.byteLength(event).toString(16);
      socket.once('data', () => {
        // The other half stays open: only what comes tells that nothing more will.
        socket.write(`${HEAD}${size}\r\n${event}\r\n`);
        if (connections === 1) socket.end();
      });
    });
    const { ids, states } = await followTo(placeAt(port), 2);
    expect(ids).toEqual([1, 2]);
    expect(states[1]).toMatchObject({
      kind: 'disconnected',
      why: { message: expect.stringContaining('the other side closed the connection') },
    });
  });

  test('that is silent is given up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { place } = await serve(
      (response) => response.write(drop(1)),
      (response) => response.write(drop(2)),
    );
    const { ids, states } = await followTo(place, 2, {
      onEvent: ({ id }) => {
        if (id?.number === 1) setImmediate(() => vi.advanceTimersByTime(20_000));
      },
    });
    expect(ids).toEqual([1, 2]);
    expect(states[1]).toMatchObject({ why: { message: expect.stringContaining('said nothing for 20 s') } });
  });

  test.each([false, true])(
    'may wait for its turn for longer than it may be silent (from boot: %s)',
    async (fromBoot) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const answer = (response: ServerResponse) => response.write(drop(1));
      const { place } = await serve(answer, answer);
      const connect = (signal: AbortSignal) => {
        vi.advanceTimersByTime(60_000);
        return place.connect(signal);
      };
      const { ids, states } = await followTo({ ...place, connect }, 1, { fromBoot });
      expect(ids).toEqual([1]);
      expect(states.map(({ kind }) => kind)).toEqual(['connected']);
    },
  );

  test('is tried ever more seldom while nobody answers, however long each try takes', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { place } = await serve(
      (response) => response.write(drop(1), () => response.destroy()),
      (response) => response.write(drop(2)),
    );
    const triesMs: number[] = [];
    const connect = (signal: AbortSignal) => {
      triesMs.push(Date.now());
      if ([2, 3].includes(triesMs.length)) {
        vi.advanceTimersByTime(60_000);
        return Promise.reject(new TracerError('E_UNREACHABLE', 'it did not answer'));
      }
      return place.connect(signal);
    };
    expect((await followTo({ ...place, connect }, 2)).ids).toEqual([1, 2]);
    const [, , third = 0, fourth = 0] = triesMs;
    // Twice as long each time from 250 ms on, less a half by chance.
    expect(fourth - third).toBeGreaterThan(450);
  });

  test('ends it where that was asked for: well behind a stop event, else with an error', async () => {
    const cut = await serve((response) => response.write(drop(1), () => response.destroy()));
    await expect(followTo(cut.place, 9, { reconnect: false })).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
    });
    const ended = await serve((response) => response.end(`${drop(1)}${stop(2)}`));
    const { ids } = await followTo(ended.place, 9, { reconnect: false });
    expect(ids).toEqual([1, 2]);
  });

  test('is made again when the file of the token was empty for a moment', async () => {
    const { place } = await serve(
      (response) => response.write(drop(1), () => response.destroy()),
      (response) => response.write(drop(2)),
    );
    const file = join(temporaryDirectory(), 'token');
    writeFileSync(file, TOKEN);
    const read = tokenReader({ file, environment: undefined });
    let reads = 0;
    const token = () => {
      writeFileSync(file, ++reads === 2 ? '' : TOKEN);
      return read();
    };
    const { ids, states } = await followTo({ ...place, token }, 2);
    expect(ids).toEqual([1, 2]);
    expect(states[2]).toMatchObject({ kind: 'disconnected', why: { code: 'E_USAGE' } });
  });

  test('is not made again for a question that the server does not take any more', async () => {
    const { place } = await serve(
      (response) => response.write(drop(1), () => response.destroy()),
      refuse(400, { message: 'events of this server carry no labels', remedies: ['start it with --labels'] }),
    );
    const error = (await followTo(place, 9).catch((thrown) => thrown)) as TracerError;
    expect(error).toMatchObject({ code: 'E_USAGE', remedies: ['start it with --labels'] });
    expect(error.message).toContain('events of this server carry no labels');
  });
});

describe('who does not read', () => {
  test('has the server wait, not the memory grow', async () => {
    let sent = 0;
    const { place } = await serve((response) => {
      const more = () => {
        while (sent < 20_000) if (!response.write(drop(++sent))) return response.once('drain', more);
        return response;
      };
      more();
    });
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const seen: number[] = [];
    const all = followTo(place, 20_000, {
      onEvent: ({ id }) => seen.push(id?.number ?? 0),
      onPortion: () => held,
    });
    await vi.waitUntil(() => seen.length > 0 && sent === lastSent(sent), { timeout: 20_000 });
    expect(seen.length).toBeLessThan(2000);
    expect(sent).toBeLessThan(20_000);
    go();
    expect((await all).ids).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 1));
  });

  test('can be ended all the same', async () => {
    const { place } = await serve((response) => response.write(drop(1)));
    const { ids } = await followTo(place, 1, { onPortion: () => new Promise(() => undefined) });
    expect(ids).toEqual([1]);
  });
});

describe('what is no server of ours', () => {
  test.each<[string, Handler, string, string]>([
    ['a web page', page, 'E_NO_SERVER', 'answers with text/html'],
    ['a 404', refuse(404), 'E_NO_SERVER', 'answers with status 404'],
    [
      'a redirect',
      (response) => response.writeHead(302, { location: 'https://login.example/?state=secret' }).end(),
      'E_NO_SERVER',
      'sends on to https://login.example/: name that',
    ],
    ['a proxy that does not reach it', refuse(502), 'E_UNREACHABLE', 'what stands before'],
    ['no events', (response) => response.write('{"hello":1}\n'), 'E_NO_SERVER', 'sent what is no event'],
    ['no JSON', (response) => response.write('\x1b[2Jboo\n'), 'E_NO_SERVER', '"\\x1b[2Jboo"'],
    [
      'a line without an end',
      (response) => response.write('x'.repeat((8 << 20) + 1)),
      'E_NO_SERVER',
      'sent a line of more than',
    ],
    [
      'too many readers',
      refuse(503, { code: 'E_TOO_MANY', message: 'there are 256 readers already' }),
      'E_TOO_MANY',
      'there are 256 readers already',
    ],
  ])('%s', async (_what, handler, code, message) => {
    const { place } = await serve(handler);
    const error = (await followTo(place, 1).catch((thrown) => thrown)) as TracerError;
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(formatError(error)).toMatch(/^[^\x1b]*$/);
    expect(formatError(error)).not.toContain('secret');
  });

  test('what speaks no HTTP', async () => {
    const port = await listenRaw((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
    await expect(followTo(placeAt(port), 1)).rejects.toMatchObject({
      code: 'E_NO_SERVER',
      message: expect.stringContaining('does not speak HTTP'),
    });
  });

  test('what closes at once', async () => {
    const port = await listenRaw((socket) => socket.destroy());
    await expect(followTo(placeAt(port), 1)).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: expect.stringContaining('the other side closed the connection'),
    });
  });
});

describe('a token', () => {
  test('is brought, and said to be wrong without being shown', async () => {
    const tokens: (string | undefined)[] = [];
    const { place } = await serve((response, { headers }) => {
      tokens.push(headers.authorization);
      response.writeHead(401).end();
    });
    const error = await followTo({ ...place, token: () => TOKEN }, 1).catch((thrown) => thrown);
    expect(tokens).toEqual([`Bearer ${TOKEN}`]);
    expect(error.code).toBe('E_DENIED');
    expect(formatError(error)).toContain('wants a token, and not this one');
    expect(formatError(error)).toContain('--token-file');
    expect(formatError(error)).not.toContain(TOKEN);
  });

  test.each([
    [401, {}, 'wants a token ['],
    [
      403,
      { message: 'without a token only this machine’s loopback may ask' },
      'only this machine’s loopback',
    ],
    [429, { message: 'too many wrong tokens from this address' }, 'for now: too many wrong tokens'],
  ])('is told to be missing by %i', async (status, said, message) => {
    const { place } = await serve(refuse(status, said));
    const error = await followTo(place, 1).catch((thrown) => thrown);
    expect(error.code).toBe('E_DENIED');
    expect(formatError(error)).toContain(message);
  });
});

test('who is let in by nobody for a while is told how long, in words that stay the same', async () => {
  let left = 60;
  const { place } = await serve((response) => {
    response.writeHead(429, { 'retry-after': String(left--) }).end();
  });
  const first = await followTo(place, 1).catch((thrown) => thrown);
  const second = await followTo(place, 1).catch((thrown) => thrown);
  expect(formatError(first)).toContain('try again in 60 s');
  expect(second.message).toBe(first.message);
});

test('a newer server may say more, and things that are not known here', async () => {
  const newer = JSON.stringify({ ...JSON.parse(drop(1)), colour: 'red' });
  const other = JSON.stringify({ v: 1, kind: 'forecast', time: 'x', event_id: `${EPOCH}-2` });
  const { place } = await serve((response) => response.write(`${newer}\n${other}\n`));
  const { received } = await followTo(place, 2);
  expect(received[0]?.event?.kind).toBe('drop');
  expect(received[1]).toMatchObject({ event: undefined, kind: 'forecast', text: other });
});

type Handler = (response: ServerResponse, request: IncomingMessage) => unknown;

/** A server that answers each connection by the next of these, in our name unless one says otherwise. */
async function serve(
  ...handlers: [Handler, ...Handler[]]
): Promise<{ place: Place; asked: URLSearchParams[] }> {
  const asked: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    const handler = handlers[Math.min(asked.length, handlers.length - 1)] as Handler;
    asked.push(new URL(`http://x${request.url}`).searchParams);
    response.setHeader('content-type', 'application/x-ndjson');
    response.setHeader('rpftrace-epoch', EPOCH);
    handler(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { place: placeAt((server.address() as AddressInfo).port), asked };
}

async function listenRaw(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createRawServer({ allowHalfOpen: true }, (socket) => {
    onTestFinished(() => {
      socket.destroy();
    });
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function placeAt(port: number): Place {
  return tcpPlace(
    { kind: 'http', isTls: false, host: '127.0.0.1', port, prefix: '' },
    { token: () => undefined },
  );
}

interface Follows {
  readonly question?: Question;
  readonly reconnect?: boolean;
  readonly onEvent?: (received: Received) => void;
  readonly onPortion?: () => Promise<void>;
  readonly onPosition?: (id: EventId) => void;
  readonly fromBoot?: boolean;
}

/** Follows until so many events have come. */
async function followTo(place: Place, count: number, { question = ALL, onEvent, ...options }: Follows = {}) {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const received: Received[] = [];
  const states: FollowState[] = [];
  await follow(place, question, {
    ...options,
    signal: controller.signal,
    onState: (state) => states.push(state),
    onEvent: (one) => {
      received.push(one);
      onEvent?.(one);
      if (received.length === count) controller.abort();
    },
  });
  return { received, states, ids: received.flatMap(({ id }) => id?.number ?? []) };
}

function refuse(status: number, error?: object): Handler {
  return (response) => {
    response.setHeader('content-type', 'application/json');
    response.writeHead(status).end(error ? JSON.stringify({ error }) : 'no');
  };
}

function page(response: ServerResponse): void {
  response.setHeader('content-type', 'text/html');
  response.end('<html>Sign in</html>\n');
}

function drop(number: number): string {
  return `${JSON.stringify({ ...dropEventOf({}), event_id: `${EPOCH}-${number}` })}\n`;
}

function lost(count: number, unknown: string): string {
  const event = { v: 1, kind: 'lost', time: dropEventOf({}).time, node: 'n', where: 'reader' };
  return `${JSON.stringify({ ...event, count, count_unknown: unknown })}\n`;
}

function stop(number: number): string {
  return `${JSON.stringify({ v: 1, kind: 'stop', event_id: `${EPOCH}-${number}` })}\n`;
}

let previous = -1;

/** What was sent when it was asked last: equal when the server has come to wait. */
function lastSent(sent: number): number {
  const last = previous;
  previous = sent;
  return last;
}

const EPOCH = 'mwsegikr';
const HEAD = [
  'HTTP/1.1 200 OK',
  'content-type: application/x-ndjson',
  `rpftrace-epoch: ${EPOCH}`,
  'transfer-encoding: chunked',
  '\r\n',
].join('\r\n');
const TOKEN = 'not-to-be-seen-0123456789';
const ALL: Question = { filters: {}, follow: true };
