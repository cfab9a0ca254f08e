/**
 * Reads /v1/events many times over: audience-process.mjs SOCKET READERS NETNS, with an IPC channel. It says "ready", and what was
 * heard once the server has ended the streams. The first reader looks at each line, the others at what is told of losses.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { accountOf } from './account.mjs';
import { delaysOf, linesOf, summarizeDelays, WallClock } from './latency.mjs';

const NEWLINE = 0x0a;
const LOST = '"where":"reader"';

const [socketPath, count, netns] = process.argv.slice(2);
const clock = new WallClock();
const readers = await Promise.all(Array.from({ length: Number(count) }, (_, index) => follow(index === 0)));
process.send('ready');
await Promise.all(readers.map(({ ended }) => ended));
process.send(await heard(readers), () => process.disconnect());

/** Resolves when the server has answered. */
async function follow(isFirst) {
  const reader = { pieces: [], bytes: 0, lost: 0 };
  const sent = request({ socketPath, path: '/v1/events?since=1h', agent: false }).end();
  const [response] = await once(sent, 'response');
  const ear = isFirst ? keep(reader) : skim(reader);
  response.on('data', (bytes) => {
    reader.bytes += bytes.length;
    ear(bytes);
  });
  reader.ended = once(response, 'close');
  return reader;
}

/** Notes when each piece came and leaves reading it for later. */
function keep({ pieces }) {
  return (bytes) => pieces.push({ bytes, atNs: process.hrtime.bigint() });
}

/** Looks for what the reader is told of its losses, wherever it was cut in two. */
function skim(reader) {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    const first = bytes.indexOf(NEWLINE);
    if (first < 0) {
      rest = Buffer.concat([rest, bytes]);
      return;
    }
    addLosses(reader, Buffer.concat([rest, bytes.subarray(0, first + 1)]));
    const last = bytes.lastIndexOf(NEWLINE);
    addLosses(reader, bytes.subarray(first + 1, last + 1));
    rest = Buffer.from(bytes.subarray(last + 1));
  };
}

function addLosses(reader, lines) {
  for (let at = lines.indexOf(LOST); at >= 0; at = lines.indexOf(LOST, at + 1)) {
    const start = lines.lastIndexOf(NEWLINE, at) + 1;
    reader.lost += JSON.parse(lines.toString('utf8', start, lines.indexOf(NEWLINE, at))).count;
  }
}

async function heard([first, ...others]) {
  const lines = linesOf(first.pieces, clock);
  const account = await accountOf(
    lines.map(({ text }) => text),
    Number(netns),
  );
  const delays = delaysOf(lines, Number(netns));
  return {
    ...account,
    ...(delays.length > 0 && { delays: summarizeDelays(delays) }),
    bytes: [first, ...others].map(({ bytes }) => bytes),
    lost_events: [account.unheard.events, ...others.map(({ lost }) => lost)],
  };
}
