/**
 * The image's health check: ends with 0 when the `rpftrace serve` of this container answers at its socket. Where there is no
 * socket, another command runs, or it listens elsewhere: nobody can be asked, and that the container runs is all that is known.
 */
import { existsSync } from 'node:fs';
import { get } from 'node:http';

const socketPath = '/run/rpftrace/rpftrace.sock';
const timeoutMs = 4000; // less than HEALTHCHECK's own, so that it can say what was wrong

if (existsSync(socketPath)) ask();

function ask() {
  const options = { socketPath, path: '/healthz', timeout: timeoutMs };
  const request = get(options, ({ statusCode }) => {
    if (statusCode === 200) process.exit(0);
    fail(`answered ${statusCode}`);
  });
  request.on('timeout', () => fail(`no answer within ${timeoutMs} ms`));
  request.on('error', ({ message }) => fail(message));
}

function fail(why) {
  process.stderr.write(`rpftrace serve at ${socketPath}: ${why}\n`);
  process.exit(1);
}
