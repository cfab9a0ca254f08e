import { type Command, Option } from 'commander';
import type { PodSourceOptions } from '../attribute/pods/default-sources.js';
import { KUBERNETES_FLAGS } from '../attribute/sources/kubernetes-options.js';
import { INTERVAL_MS, MAX_SNAPLEN } from '../tracer-options.js';
import { FORMATS } from './formats.js';
import { parseHttpUrl } from './http-url.js';
import type { SinkOptions } from './sinks.js';
import { parseDuration, parseInteger, parseSize } from './units.js';

/** What is captured, as commander hands it over. */
export interface CaptureOptions extends PodSourceOptions {
  readonly rpfOnly?: true;
  readonly reason: string[];
  readonly device: string[];
  readonly netns: string[];
  readonly every?: true;
  readonly snaplen?: number;
  readonly interval?: number;
  readonly node?: string;
  readonly labels?: true;
  readonly namespace: string[];
  readonly pod: string[];
  readonly selector?: string;
  readonly thisPod?: true;
  /** false with --no-witness. */
  readonly witness: boolean;
  readonly keepCapabilities?: true;
}

/** The options of `rpftrace trace`. */
export interface TraceOptions extends CaptureOptions, SinkOptions {
  readonly backend: string[];
  readonly duration?: number;
  readonly count?: number;
  readonly readyFile?: string;
}

export function addTraceOptions(command: Command): Command {
  return addPodSourceOptions(addOutputOptions(addCaptureOptions(command)));
}

/** Where pods are looked for. */
export function addPodSourceOptions(command: Command): Command {
  command
    .option('--no-cilium', 'do not ask the Cilium agent for pods, nor read its state files')
    .option('--cilium-socket <path>', 'socket of the Cilium agent (default: /var/run/cilium/cilium.sock)')
    .option('--no-cri', 'do not ask the container runtime for pods')
    .option(
      '--cri-socket <path>',
      'socket of the container runtime (default: that of containerd, CRI-O, k3s, k0s or MicroK8s)',
    )
    .option('--no-kubernetes', 'do not ask the Kubernetes API for pods')
    .option('--no-processes', 'do not look for pods among the processes of this machine');
  for (const { flags, help } of KUBERNETES_FLAGS) command.option(flags, help);
  return command;
}

/** Which drops, and how they are looked at. */
export function addCaptureOptions(command: Command): Command {
  return addFilterOptions(command)
    .option('--every', 'an event for each drop, instead of counting the drops of a flow together')
    .option(
      '--snaplen <bytes>',
      'packet bytes with each drop, up to 2048 (256 with pcapng)',
      parseInteger(0, MAX_SNAPLEN),
    )
    .option(
      '--interval <ms>',
      'how often the counts of flows come out (default: 1000)',
      parseInteger(INTERVAL_MS.min, INTERVAL_MS.max),
    )
    .option(
      '--no-witness',
      'never watch the kernel’s route lookups, as is done for some seconds after a refused source',
    )
    .option(
      '--keep-capabilities',
      'keep all capabilities; else those that are needed no more are given up once all is attached',
    )
    .option('--labels', 'with the labels of pods')
    .option('--node <name>', 'name of this machine in the events (default: NODE_NAME or the host name)');
}

/** Which drops. */
export function addFilterOptions(command: Command): Command {
  return addEventFilterOptions(command, 'name, path or inode number').option(
    '--this-pod',
    'only drops of the pod that rpftrace runs in',
  );
}

/** Of these, what can be told from an event. */
export function addEventFilterOptions(command: Command, netns: string): Command {
  return command
    .option(
      '--rpf-only',
      'only drops of a refused source: IP_RPFILTER, IP_LOCAL_SOURCE, IP_INVALID_SOURCE, IP_LOCALNET',
    )
    .addOption(
      repeatable('--reason <name>', 'only this drop reason (repeatable); help lists those of this kernel'),
    )
    .addOption(repeatable('--device <name>', 'only this device; a trailing * matches any rest (repeatable)'))
    .addOption(repeatable('--netns <netns>', `only this network namespace: ${netns} (repeatable)`))
    .addOption(repeatable('-n, --namespace <ns>', 'only drops of pods of this namespace (repeatable)'))
    .addOption(repeatable('--pod <ns/name>', 'only drops of this pod, be it there yet or not (repeatable)'))
    .option('-l, --selector <text>', "only drops of pods with these labels: 'app=mssql,tier!=test'");
}

/** What becomes of the events, and until when. */
function addOutputOptions(command: Command): Command {
  addFormatOptions(command).addOption(
    repeatable('--backend <name>', 'how drops are seen, for tests (repeatable)').hideHelp(),
  );
  return addForwarderOptions(command).option(
    '--ready-file <file>',
    'a file that exists as long as rpftrace is attached',
  );
}

/** Of these, what is written here. */
export function addFormatOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-o, --output <format>', 'what is written; table on a terminal, else ndjson').choices(
        FORMATS,
      ),
    )
    .option('--duration <time>', 'end after this time: 500ms, 10s, 2m, 1h', parseDuration)
    .option('--count <n>', 'end after this many drop events', parseInteger(1))
    .option('--out <file>', 'write to this file, from its start')
    .option('--rotate-size <size>', 'begin a new file after this many bytes: 64k, 100M, 1G', parseSize)
    .option(
      '--rotate-keep <n>',
      'old files to keep: FILE.1 is the newest (default: 5)',
      parseInteger(1, 9999),
    );
}

/** Who gets the events beside those who read them here. */
export function addForwarderOptions(command: Command): Command {
  return command
    .option(
      '--otlp <url>',
      'send events and counts to an OpenTelemetry collector, too: http://collector:4318',
      parseHttpUrl,
    )
    .option('--no-otlp-logs', 'send it no events: for Prometheus, which takes counts only')
    .option('--no-otlp-metrics', 'send it no counts')
    .option(
      '--kubernetes-events',
      'write an Event to each pod that an incident hits, for kubectl describe pod',
    );
}

/** An option that may be given several times. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .default([], 'all')
    .argParser((value: string, values: string[]) => [...values, value]);
}
