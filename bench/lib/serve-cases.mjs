import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { read, root } from '../../scripts/lib/command.mjs';
import { accountOfWords } from './account.mjs';
import { chooseCases, rpftraceWords, CASES as TRACERS } from './cases.mjs';

/**
 * A capture and its readers, each of the sinks, and what else does such work. Beside what each tracer has: `readers` follow
 * /v1/events (only a server has any), `neighbours` have to be there, `like` names the case that it is held against.
 */
export const CASES = {
  trace: { ...TRACERS.default, title: 'trace -o ndjson' },
  table: format('table'),
  hubble: format('hubble'),
  pcapng: format('pcapng'),
  'serve-0': serve('no reader', { readers: 0 }),
  'serve-1': serve('1 reader', { readers: 1 }),
  'serve-20': serve('20 readers', { readers: 20 }),
  disk: serve('history on disk', { words: (trace) => ['--history-dir', trace.history] }),
  scraped: serve('scraped each second', { neighbours: ['prometheus'] }),
  otlp: forwarder('--otlp', 'collector', (trace) => ['--otlp', trace.places.collector]),
  events: forwarder('--kubernetes-events', 'api', (trace) => [
    ...['--kubernetes-events', '--kubeconfig', kubeconfig(trace)],
  ]),
  'bpftrace-count': { ...TRACERS['bpftrace-count'], like: 'trace' },
  every: { ...TRACERS.every, title: 'trace --every' },
  'every-0': serve('--every, no reader', { readers: 0, ...everyDrop() }),
  'every-1': serve('--every, 1 reader', { readers: 1, ...everyDrop() }),
  'every-20': serve('--every, 20 readers', { readers: 20, ...everyDrop() }),
  'every-disk': serve(
    '--every, history on disk',
    everyDrop((trace) => ['--history-dir', trace.history]),
  ),
  'bpftrace-print': { ...TRACERS['bpftrace-print'], like: 'every' },
};

export const CASE_NAMES = Object.keys(CASES);

/** Those of `names` that can run here. */
export function chooseServeCases(names) {
  return chooseCases(names, CASES);
}

/** A server, and who reads it; without `readers` nobody does. */
function serve(title, { words = () => [], readers = 0, neighbours = [], isStream = false, like = 'trace' }) {
  return {
    title: `serve, ${title}`,
    ...{ isOurs: true, isServer: true, readers, neighbours, isStream, like },
    quietMs: isStream ? 300 : 1300,
    command: (trace) =>
      rpftraceWords(trace, 'serve', '--listen', `unix:${trace.socket}`, '--history', '16M', ...words(trace)),
  };
}

function everyDrop(words = () => []) {
  return { words: (trace) => ['--every', ...words(trace)], isStream: true, like: 'every' };
}

/** What is not NDJSON is counted by what rpftrace says at its end: only the drops of the lab may be among these. */
function format(name) {
  return {
    title: `trace -o ${name}`,
    ...{ isOurs: true, like: 'trace', quietMs: 1300, account: accountOfWords },
    command: (trace) => [
      ...rpftraceWords(trace, 'trace', '--output', name, '--out', trace.output),
      ...['--netns', String(trace.places.netns)],
    ],
  };
}

/** Sends events elsewhere: a server where it can do that, a trace where not. */
function forwarder(option, neighbour, words) {
  const options = { words, neighbours: [neighbour] };
  if (servesWith(option)) return serve(option, options);
  const { command, ...trace } = TRACERS.default;
  return {
    ...trace,
    ...{ title: `trace ${option}`, like: 'trace', neighbours: options.neighbours },
    command: (running, toFile) => [...command(running, toFile), ...words(running)],
  };
}

function servesWith(option) {
  return (read(join(root, 'bin', 'rpftrace'), ['serve', '--help']) ?? '').includes(`${option} `);
}

function kubeconfig(trace) {
  const file = join(trace.directory, 'kubeconfig');
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'bench' },
    clusters: [{ name: 'bench', cluster: { server: trace.places.api, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'bench', user: { token: 'bench' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
