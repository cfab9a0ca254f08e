import { type Command, Option } from 'commander';
import { AGENTS } from '../attach/target.js';
import { KUBERNETES_FLAGS } from '../attribute/sources/kubernetes-options.js';
import type { FormatOptions } from './formats.js';
import { addEventFilterOptions, addFormatOptions, repeatable } from './trace-options.js';
import { parseDuration, parseInteger } from './units.js';

/** The options of `rpftrace attach`, as commander hands them over. */
export interface AttachOptions extends FormatOptions {
  readonly kind: string[];
  readonly rpfOnly?: true;
  readonly reason: string[];
  readonly device: string[];
  readonly netns: string[];
  readonly namespace: string[];
  readonly pod: string[];
  readonly selector?: string;
  readonly since?: string;
  readonly last?: string;
  /** false with --no-follow. */
  readonly follow: boolean;
  /** false with --no-reconnect. */
  readonly reconnect: boolean;
  readonly duration?: number;
  readonly count?: number;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly tlsServerName?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly allNodes?: true;
  readonly agentsNamespace?: string;
  readonly agentsSelector?: string;
  readonly agentsPort?: number;
  readonly window?: number;
  readonly readyFile?: string;
  readonly otlp?: true;
  readonly kubernetesEvents?: true;
}

export function addAttachOptions(command: Command): Command {
  command
    .description('follow a running rpftrace serve, from anywhere that reaches it')
    .argument(
      '[place...]',
      'a URL, a socket, or k8s:NAMESPACE/POD (default: the server of this machine); several become one stream',
    )
    .option('--all-nodes', 'follow the agents of all nodes, found by the Kubernetes API')
    .option('--agents-namespace <ns>', `where they are (default: ${AGENTS.namespace})`)
    .option('--agents-selector <text>', `their labels (default: ${AGENTS.selector})`)
    .option('--agents-port <port>', 'where they listen (default: 14100)', parseInteger(1, 65_535))
    .option(
      '--window <time>',
      'how long events of several are held back to be put in order (default: 2s)',
      parseDuration,
    )
    .option('--since <when>', 'begin so long ago (10m, 2h), at this time, or behind this event_id')
    .option('--last <n>', 'begin with so many of the newest events')
    .option('--no-follow', 'end with the newest event')
    .option('--no-reconnect', 'end when the connection does')
    .option('--token-file <file>', 'the token that the server wants (otherwise RPFTRACE_TOKEN)')
    .option('--tls-ca <file>', 'trust servers whose certificate this one has signed, PEM')
    .option(
      '--tls-server-name <name>',
      'the name in the certificate of the server, where the URL has another',
    )
    .addOption(
      repeatable('--kind <kind>', 'only drop, incident, sysctl_change, lost, start or stop (repeatable)'),
    )
    .addOption(new Option('--ready-file <file>', 'a file that exists from the first connection on'))
    .addOption(new Option('--otlp [url]').hideHelp())
    .addOption(new Option('--kubernetes-events').hideHelp())
    .addHelpText('after', HELP);
  for (const { flags, help } of KUBERNETES_FLAGS.slice(0, 2)) command.option(flags, help);
  return addFormatOptions(addEventFilterOptions(command, 'inode number'));
}

const HELP = `
Without --since and --last it begins with the next event. When the connection breaks it tries again, behind the last event
that came: nothing is missing that the server still has, and what is missing is told. docs/attach.md has the rest.`;
