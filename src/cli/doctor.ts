import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { loadAddon } from '../addon.js';
import { type PodSourceOptions, podSources } from '../attribute/pods/default-sources.js';
import { examine } from '../doctor/doctor.js';
import { askSources } from '../doctor/pod-book.js';
import { formatReport } from '../doctor/text.js';
import { TracerError } from '../errors.js';
import { findNetns } from '../filters/netns.js';
import { nodeRoot } from '../node-root.js';
import { wantsColor } from './color.js';
import { print } from './print.js';
import { addPodSourceOptions } from './trace-options.js';

interface DoctorCommandOptions extends PodSourceOptions {
  readonly output: 'text' | 'json';
  readonly netns: string[];
  readonly root?: string;
  readonly all: boolean;
  readonly node?: string;
}

/** Adds `rpftrace doctor`; `onEnd` gets its exit code. */
export function registerDoctor(program: Command, onEnd: (exitCode: number) => void): void {
  const command = program
    .command('doctor')
    .description('what this kernel allows, and which pods would lose packets now or later; sends none')
    .addOption(
      new Option('-o, --output <format>', 'for people, or for programs')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(
      new Option(
        '--netns <netns>',
        'only devices in this network namespace: name, path or inode number (repeatable)',
      )
        .default([], 'all')
        .argParser((value: string, values: string[]) => [...values, value]),
    )
    .option(
      '--root <directory>',
      'where the file system lies that settings are applied from (default: /, in a container that of the node, where it is seen)',
    )
    .option('--all', 'also what is fine', false)
    .option('--node <name>', 'name of this machine in the report (default: NODE_NAME or the host name)')
    .addHelpText('after', HELP)
    .action(async (options: DoctorCommandOptions) => onEnd(await doctor(options)));
  addPodSourceOptions(command);
}

const HELP = `
For every device that a pod or another container is behind it says whether the kernel would refuse packets from the pod's
address now: to the outside, to this node, and to cilium_host, where probes come from. Then which files, and which defaults
for new devices, will make it so later. Then what the tracer can do here. Routing tables are asked; no packet is sent, nothing
is changed, nothing stays attached.

Exit codes:
  0  no packet would be dropped, as far as could be looked at
  1  failed
  2  wrong usage
  3  the tracer cannot run with this kernel or these privileges, and no packet would be dropped
  4  packets of a pod would be dropped now`;

async function doctor(options: DoctorCommandOptions): Promise<number> {
  const root = checkRoot(options.root ?? nodeRoot());
  const addon = loadAddon();
  const netns = options.netns.map((spec) => findNetns(addon, spec).inum);
  const report = await examine({
    addon,
    node: options.node || process.env.NODE_NAME || hostname(),
    netns: netns.length > 0 ? netns : undefined,
    root,
    book: await askSources(podSources(options)),
  });
  const isTerminal = process.stdout.isTTY === true;
  const text =
    options.output === 'json'
      ? `${JSON.stringify(report)}\n`
      : formatReport(report, { color: wantsColor(isTerminal), all: options.all });
  await print(text);
  return report.exit_code;
}

function checkRoot(root: string): string {
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory()) return root.endsWith('/') ? root : `${root}/`;
  throw new TracerError('E_USAGE', `--root ${root} is no directory`);
}
