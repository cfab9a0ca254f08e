import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { request } from '../../../src/attach/request.js';
import { anyPlace, localPlace, tcpPlace, unixPlace } from '../../../src/attach/sockets.js';
import { formatError } from '../../../src/errors.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

const { signal } = new AbortController();
const noToken = { token: () => undefined };

test('of several places the first that answers counts', async () => {
  const path = join(temporaryDirectory(), 'here.sock');
  const server = createServer().listen(path);
  onTestFinished(() => {
    server.close();
  });
  const place = anyPlace([unixPlace(`${path}.not`), unixPlace(path)]);
  const connection = await place.connect(signal);
  connection.destroy();
  expect(place.name).toBe(`unix:${path}.not or unix:${path}`);
});

test('of several places the one that was reached gets its own token, no other', async () => {
  const path = join(temporaryDirectory(), 'here.sock');
  const server = createServer().listen(path);
  onTestFinished(() => {
    server.close();
  });
  const token = { token: () => 'a-token-for-tcp' };
  const place = anyPlace([unixPlace(path), tcpPlace(closedPort, token)]);
  (await place.connect(signal)).destroy();
  expect(place.token()).toBeUndefined();
});

test('where no place was named, nobody on the port gets a token; who wants one is said to be named', async () => {
  const tokens: (string | undefined)[] = [];
  const server = createHttpServer((request, response) => {
    tokens.push(request.headers.authorization);
    response.writeHead(401).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const place = localPlace('/nowhere/x.sock', { ...closedPort, port });
  const error = await request(place, '/v1/status', signal).catch((thrown) => thrown);
  expect(tokens).toEqual([undefined]);
  expect(formatError(error)).toContain(`rpftrace attach http://127.0.0.1:${port} --token-file FILE`);
});

test('where none answers, each is told, and why', async () => {
  const place = anyPlace([unixPlace('/nowhere/x.sock'), tcpPlace(closedPort, noToken)]);
  await expect(place.connect(signal)).rejects.toMatchObject({
    code: 'E_UNREACHABLE',
    message: [
      'cannot connect to unix:/nowhere/x.sock: there is no such socket',
      'cannot connect to http://127.0.0.1:1: nobody listens there',
    ].join('\n'),
  });
});

test('an address of IPv6 has brackets in its name, and none on the wire', () => {
  const { name, host } = tcpPlace({ ...closedPort, host: '::1' }, noToken);
  expect([name, host]).toEqual(['http://[::1]:1', '[::1]:1']);
});

test('who gives up does not wait for an answer', async () => {
  const controller = new AbortController();
  // 192.0.2.0/24 is nobody's, RFC 5737.
  const connecting = tcpPlace({ ...closedPort, host: '192.0.2.1' }, noToken).connect(controller.signal);
  controller.abort();
  await expect(connecting).rejects.toThrow();
});

const closedPort = { kind: 'http', isTls: false, host: '127.0.0.1', port: 1, prefix: '' } as const;
