import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Access } from '../../../../src/serve/http/access.js';
import { type Exchange, Router } from '../../../../src/serve/http/router.js';

test('requests sent in a row end with their connection, answered or not', async () => {
  const { exchanges, socket } = await asked(20);
  expect(exchanges.some(({ signal }) => signal.aborted)).toBe(false);
  socket.destroy();
  await vi.waitFor(() => expect(exchanges.every(({ signal }) => signal.aborted)).toBe(true));
});

test('what was answered leaves nothing on the connection', async () => {
  const { exchanges, socket } = await asked(3);
  const request = (exchanges[0] as Exchange).request;
  const before = request.socket.listenerCount('close');
  for (const { response } of exchanges) response.end('x');
  await vi.waitFor(() => expect(request.socket.listenerCount('close')).toBeLessThanOrEqual(before - 3));
  expect(socket.destroyed).toBe(false);
});

/** A connection that has sent so many requests, none of them answered yet. */
async function asked(count: number): Promise<{ exchanges: Exchange[]; socket: Socket }> {
  const exchanges: Exchange[] = [];
  const routes = [{ path: '/', answer: (exchange: Exchange) => void exchanges.push(exchange) }];
  const router = new Router({ routes, access: new Access(undefined), onError: () => undefined });
  const server = createServer((request, response) => void router.handle(request, response, false));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
  await vi.waitFor(() => expect(exchanges).toHaveLength(count));
  return { exchanges, socket };
}
