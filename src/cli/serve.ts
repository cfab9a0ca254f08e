import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { loadAddon } from '../addon.js';
import { EXIT, exitCodeOf, formatError, type TracerError, toTracerError } from '../errors.js';
import { loadForwarders } from '../forwarders.js';
import { loadConfig } from '../serve/config/load.js';
import { forwarderOptions } from '../serve/config/options.js';
import { Renewal } from '../serve/config/renewal.js';
import type { Config, ConfigInput } from '../serve/config/schema.js';
import { readSecrets, type Secrets } from '../serve/config/secrets.js';
import { formatAddress } from '../serve/http/address.js';
import { Server } from '../serve/server.js';
import { print } from './print.js';
import { ReadyFile } from './ready-file.js';
import { note, say } from './say.js';
import { dieBy, Signals, withResolver } from './signals.js';
import type { ForwarderFlags } from './sinks.js';
import {
  addCaptureOptions,
  addForwarderOptions,
  addPodSourceOptions,
  type CaptureOptions,
  repeatable,
} from './trace-options.js';
import { parseInteger } from './units.js';

interface ServeOptions extends CaptureOptions, ForwarderFlags {
  readonly config?: string;
  readonly checkConfig?: true;
  readonly listen: string[];
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly history?: string;
  readonly historyDir?: string;
  readonly historyDisk?: string;
  readonly maxReaders?: number;
  readonly readyFile?: string;
}

/** Adds `rpftrace serve`; `onEnd` gets its exit code. */
export function registerServe(program: Command, onEnd: (exitCode: number) => void): void {
  const command = program
    .command('serve')
    .description('trace for days: one capture, many readers, by a unix socket and HTTP')
    .argument('[expression...]', 'what is captured: a pcap-filter(7) expression')
    .option('--config <file>', 'YAML; the environment and the command line count more')
    .option('--check-config', 'say whether the configuration is right, and what it comes to; then end')
    .addOption(
      repeatable(
        '--listen <address>',
        'unix:PATH, HOST:PORT, or :PORT for all (repeatable; default: unix:/run/rpftrace/rpftrace.sock and 127.0.0.1:14100)',
      ),
    )
    .option('--token-file <file>', 'who comes by TCP has to bring this token')
    .option('--tls-cert <file>', 'TLS for TCP: the certificate, PEM')
    .option('--tls-key <file>', 'and its key')
    .option('--history <size>', 'events to remember in memory (default: 16M)')
    .option('--history-dir <directory>', 'and on disk')
    .option('--history-disk <size>', 'at most that much there (default: 256M)')
    .option(
      '--max-readers <n>',
      'who may follow the events at a time (default: 256)',
      parseInteger(1, 10_000),
    )
    .addOption(new Option('--ready-file <file>', 'a file that exists as long as rpftrace is attached'))
    .addHelpText('after', HELP)
    .action(async (words: string[], options: ServeOptions) => onEnd(await serve(words, options)));
  addPodSourceOptions(addCaptureOptions(addForwarderOptions(command)));
}

const HELP = `
GET /v1/events follows the events (NDJSON, or server-sent events by Accept), /v1/incidents, /v1/status, /v1/doctor and
/v1/snapshot tell what is known now, /healthz and /readyz are for probes. docs/serve.md has the parameters and the keys of
the configuration. SIGHUP reads the configuration again, SIGTERM ends in good order.`;

async function serve(words: readonly string[], options: ServeOptions): Promise<number> {
  const load = () => loadConfig({ file: options.config, env: process.env, flags: flagsOf(words, options) });
  const config = await load();
  const secrets = readSecrets(config, note);
  if (options.checkConfig) return await tellConfig(config);
  const exitCode = await run({ config, secrets, load, options });
  // The exporter would wait for its next try, and the program for the exporter.
  if (config.otlp !== undefined) process.exit(exitCode);
  return exitCode;
}

interface Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly load: () => Promise<Config>;
  readonly options: ServeOptions;
}

/** From the start to the end. */
async function run({ config, secrets, load, options }: Parts): Promise<number> {
  const readyFile = new ReadyFile(options.readyFile);
  const ending = new Signals(['SIGINT', 'SIGTERM']);
  const failure = withResolver<TracerError>();
  const node = config.capture.node ?? process.env.NODE_NAME ?? hostname();
  const keepCapabilities = options.keepCapabilities === true;
  const addon = loadAddon();
  const server = new Server({
    addon,
    config,
    secrets,
    node,
    forwarders: await loadForwarders(forwarderOptions(config), { node, note }),
    keepCapabilities,
    note,
    onError: failure.resolve,
  });
  const renewal = new Renewal({
    config: () => server.config,
    secrets,
    take: (renewed) => server.reload(server.config, renewed),
    note,
  });
  const reload = () => reloadConfig(server, renewal, load);
  process.on('SIGHUP', reload);
  try {
    await server.open(() => readyFile.write());
    tellStart(server);
    const cause = await Promise.race([ending.first, failure.promise]);
    ending.second.then(dieBy);
    return typeof cause === 'string' ? await endBy(server, cause) : await endWith(server, cause);
  } catch (thrown) {
    await server.abandon({ why: 'error' });
    throw thrown;
  } finally {
    process.off('SIGHUP', reload);
    renewal.stop();
    ending.remove();
    readyFile.remove();
  }
}

async function endBy(server: Server, signal: NodeJS.Signals): Promise<number> {
  const { totals } = await server.close({ why: 'signal', signal });
  note(`ended by ${signal}: ${totals.emitted} drops in ${totals.events} events, ${totals.lost} lost`);
  return EXIT.done;
}

async function endWith(server: Server, error: TracerError): Promise<number> {
  say(formatError(error), 'error');
  await server.abandon({ why: 'error', error: error.message });
  return exitCodeOf(error);
}

/** What is wrong leaves everything as it was. */
async function reloadConfig(server: Server, renewal: Renewal, load: () => Promise<Config>): Promise<void> {
  try {
    const config = await load();
    const secrets = readSecrets(config, note);
    const later = server.reload(config, secrets);
    renewal.known = secrets;
    note('the configuration was read again');
    if (later.length > 0) note(`these take effect with the next start: ${later.join(', ')}`);
  } catch (thrown) {
    say(formatError(toTracerError(thrown)), 'error');
    note('the configuration stays as it was');
  }
}

function tellStart(server: Server): void {
  for (const { feature, why } of server.start?.degraded ?? []) note(`without ${feature}: ${why}`);
  for (const url of server.urls) note(`listening on ${url}`);
}

async function tellConfig({ token, listen, ...config }: Config): Promise<number> {
  const shown = {
    listen: listen.map(formatAddress),
    ...config,
    ...(token !== undefined && { token: '(hidden)' }),
  };
  await print(`${JSON.stringify(shown, null, 2)}\n`);
  return EXIT.done;
}

/** As the file has it. What was not given is absent. */
function flagsOf(words: readonly string[], options: ServeOptions): ConfigInput {
  const { historyDir: directory, historyDisk: disk, history: memory, tlsCert, tlsKey } = options;
  return known({
    listen: some(options.listen),
    token_file: options.tokenFile,
    tls: known({ cert_file: tlsCert, key_file: tlsKey }),
    history: known({ memory, directory, disk }),
    limits: known({ readers: options.maxReaders }),
    otlp: known({
      url: options.otlp,
      logs: onlyFalse(options.otlpLogs),
      metrics: onlyFalse(options.otlpMetrics),
    }),
    kubernetes_events: options.kubernetesEvents,
    capture: known({
      rpf_only: options.rpfOnly,
      reasons: some(options.reason),
      devices: some(options.device),
      netns: some(options.netns),
      expression: words.length > 0 ? words.join(' ') : undefined,
      namespaces: some(options.namespace),
      pods: some(options.pod),
      selector: options.selector,
      this_pod: options.thisPod,
      every: options.every,
      snaplen: options.snaplen,
      interval_ms: options.interval,
      witness: options.witness ? undefined : false,
      node: options.node,
      labels: options.labels,
    }),
    sources: known({
      cilium: onlyFalse(options.cilium),
      cilium_socket: options.ciliumSocket,
      cri: onlyFalse(options.cri),
      cri_socket: options.criSocket,
      kubernetes: onlyFalse(options.kubernetes),
      kubeconfig: options.kubeconfig,
      context: options.context,
      peers: onlyFalse(options.peers),
      processes: onlyFalse(options.processes),
    }),
  });
}

/** Commander says true where --no-... was not given; the file may say otherwise. */
function onlyFalse(value: boolean | undefined): false | undefined {
  return value === false ? false : undefined;
}

function some(values: readonly string[]): readonly string[] | undefined {
  return values.length > 0 ? values : undefined;
}

function known(members: Record<string, unknown>): ConfigInput {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined && !isEmptyObject(value));
  return Object.fromEntries(entries);
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}
