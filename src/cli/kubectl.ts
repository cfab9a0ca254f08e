import { Command } from 'commander';
import { TracerError } from '../errors.js';
import { addAttachOptions } from './attach-options.js';
import { print } from './print.js';

/**
 * What `kubectl rpftrace ...` means as words for `rpftrace attach`. kubectl hands over what was written as it is; -n and -l mean
 * what they mean with kubectl. Throws a TracerError.
 */
export async function attachWords(words: readonly string[]): Promise<string[]> {
  if (words.some((word) => HELP_WORDS.includes(word))) return await help();
  const { pods, namespace, selector, rest } = read(words);
  if (rest.includes('--all-nodes')) {
    if (pods.length > 0) throw usage('--all-nodes goes with no POD');
    const where = namespace === undefined ? [] : ['--agents-namespace', namespace];
    return ['attach', ...rest, ...where, ...(selector === undefined ? [] : ['--agents-selector', selector])];
  }
  if (selector !== undefined) throw usage('-l chooses the agents of --all-nodes');
  if (pods.length === 0) throw usage('name a POD, or give --all-nodes');
  const targets = await Promise.all(pods.map((pod) => targetOf(pod, namespace, rest)));
  return ['attach', ...targets, ...rest];
}

interface Words {
  readonly pods: string[];
  namespace?: string;
  selector?: string;
  readonly rest: string[];
}

/** Tells pods from options and their values. */
function read(words: readonly string[]): Words {
  const found: Words = { pods: [], rest: [] };
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const [, own, inline] = OWN.exec(word) ?? [];
    if (own !== undefined) found[memberOf(own)] = givenTo(own, inline ?? left.shift());
    else if (!word.startsWith('-')) found.pods.push(word);
    else found.rest.push(word, ...(TAKE_VALUES.has(word) ? left.splice(0, 1) : []));
  }
  return found;
}

function memberOf(option: string): 'namespace' | 'selector' {
  return option === '-n' || option === '--namespace' ? 'namespace' : 'selector';
}

function givenTo(option: string, value: string | undefined): string {
  if (value) return value;
  throw usage(`${option} needs a value`);
}

/** "POD", "POD:PORT", "pod/POD", "NAMESPACE/POD" */
async function targetOf(
  text: string,
  namespace: string | undefined,
  rest: readonly string[],
): Promise<string> {
  const pod = text.replace(/^pods?\//, '');
  if (pod.includes('/')) return `k8s:${pod}`;
  return `k8s:${namespace ?? (await namespaceOfContext(rest))}/${pod}`;
}

/** That which kubectl would take. */
async function namespaceOfContext(rest: readonly string[]): Promise<string> {
  const { openApi } = await import('../attach/kubernetes/api.js');
  const option = (name: string) => rest[rest.indexOf(name) + 1 || rest.length];
  const [kubeconfig, context] = [option('--kubeconfig'), option('--context')];
  const { credentials } = await openApi({ kubeconfig, context });
  return credentials.namespace ?? 'default';
}

async function help(): Promise<string[]> {
  await print(HELP);
  return ['attach', '--help'];
}

function usage(message: string): TracerError {
  return new TracerError('E_USAGE', message, { remedies: ['run: kubectl rpftrace --help'] });
}

/** Options of attach with a value in the next word. */
const TAKE_VALUES: ReadonlySet<string> = new Set(
  addAttachOptions(new Command())
    .options.filter(({ required }) => required)
    .flatMap(({ short, long }) => [short, long])
    .filter((flag) => flag !== undefined && flag !== null),
);
const OWN = /^(-n|-l|--namespace|--selector)(?:=(.*))?$/;
const HELP_WORDS = ['--help', '-h'];
const HELP = `Usage: kubectl rpftrace POD[:PORT] [options]
       kubectl rpftrace --all-nodes [options]

follows rpftrace in a pod, or the agents of all nodes, by the port-forward of the Kubernetes API. -n is the namespace of the
pod or the agents, -l the labels of the agents. All else is as with rpftrace attach; events are chosen by --pod:

`;
