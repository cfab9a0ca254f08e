import { join } from 'node:path';
import { attempt } from '../../../../src/lab/process.js';
import { ADDRESS } from '../../../../src/lab/topology.js';
import { Daemon } from '../../../support/daemon.js';
import type { KubernetesPrograms } from './build.js';
import { type Papers, SERVICE_ADDRESS, SERVICE_RANGE } from './papers.js';

export interface ControlPlaneOptions {
  readonly programs: KubernetesPrograms;
  readonly papers: Papers;
  /** For data and logs. */
  readonly folder: string;
  /** Words that lead into the network namespace that it runs in. */
  readonly enter: readonly string[];
}

/** etcd, API server, controllers and scheduler, at the address of the node and on ports that only its network namespace knows. */
export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #apiServerWords: readonly string[];
  readonly #others: Daemon[] = [];
  #apiServer: Daemon | undefined;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#apiServerWords = apiServerWords(options);
  }

  async start(): Promise<void> {
    const { programs, papers, folder } = this.#options;
    const storage = [
      ...[programs.etcd, '--data-dir', join(folder, 'etcd'), '--listen-peer-urls', 'http://127.0.0.1:2380'],
      ...['--listen-client-urls', ETCD, '--advertise-client-urls', ETCD],
    ];
    await this.#startOther('etcd', storage, () => this.#answers(`${ETCD}/health`));
    await this.startApiServer();
    const tokens = papers.path('service-accounts.key');
    const controllers = [
      ...[programs['kube-controller-manager'], ...asUser(papers, 'system:kube-controller-manager')],
      ...['--service-account-private-key-file', tokens, '--root-ca-file', papers.path('ca.crt')],
      '--use-service-account-credentials',
    ];
    await this.#startOther('controllers', controllers, () =>
      this.#answers('https://127.0.0.1:10257/healthz'),
    );
    const scheduler = [programs['kube-scheduler'], ...asUser(papers, 'system:kube-scheduler')];
    await this.#startOther('scheduler', scheduler, () => this.#answers('https://127.0.0.1:10259/healthz'));
  }

  /** Resolves when it is ready. */
  async startApiServer(): Promise<void> {
    this.#apiServer = await this.#daemon('api-server', this.#apiServerWords, () =>
      this.#answers(`https://127.0.0.1/readyz`),
    );
  }

  /** As a machine that fails would. */
  async killApiServer(): Promise<void> {
    await this.#apiServer?.stop('SIGKILL');
  }

  async stop(): Promise<void> {
    for (const daemon of [...this.#others.slice(1), this.#apiServer, this.#others[0]]) {
      await daemon?.stop('SIGKILL');
    }
  }

  async #startOther(name: string, words: readonly string[], isReady: () => Promise<boolean>): Promise<void> {
    this.#others.push(await this.#daemon(name, words, isReady));
  }

  #daemon(name: string, words: readonly string[], isReady: () => Promise<boolean>): Promise<Daemon> {
    const { enter, folder } = this.#options;
    return Daemon.start([...enter, ...words], { log: join(folder, `${name}.log`), isReady });
  }

  async #answers(url: string): Promise<boolean> {
    const [command = '', ...words] = this.#options.enter;
    const { code } = await attempt(command, [...words, process.execPath, '-e', IS_WELL, url]);
    return code === 0;
  }
}

const ETCD = 'http://127.0.0.1:2379';

/** Ends with 0 when what is there says that it is well. Who it is does not matter. */
const IS_WELL = `const [url] = process.argv.slice(1);
const { get } = require(url.startsWith('https') ? 'node:https' : 'node:http');
get(url, { rejectUnauthorized: false, timeout: 5000 }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));`;

function apiServerWords({ programs, papers, folder }: ControlPlaneOptions): string[] {
  const server = papers.pair('kube-apiserver', [
    ...[ADDRESS.node, SERVICE_ADDRESS, '127.0.0.1'].map((address) => `IP:${address}`),
    'DNS:kubernetes.default.svc',
  ]);
  const kubelet = papers.clientPair('kube-apiserver-kubelet-client', 'system:masters');
  const tokens = papers.pair('service-accounts', ['DNS:service-accounts']);
  const flags = {
    'etcd-servers': ETCD,
    'cert-dir': join(folder, 'api-server'),
    'advertise-address': ADDRESS.node,
    'secure-port': 443, // of the service too, which nobody translates here
    'service-cluster-ip-range': SERVICE_RANGE,
    'tls-cert-file': server.cert,
    'tls-private-key-file': server.key,
    'client-ca-file': papers.path('ca.crt'),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': true,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': tokens.cert,
    'service-account-signing-key-file': tokens.key,
    'kubelet-client-certificate': kubelet.cert,
    'kubelet-client-key': kubelet.key,
    'kubelet-preferred-address-types': 'InternalIP',
  };
  return [programs['kube-apiserver'], ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
}

/** What controllers and scheduler have in common. */
function asUser(papers: Papers, user: string): string[] {
  const kubeconfig = papers.kubeconfig(user);
  const authorizing = ['--authentication-kubeconfig', kubeconfig, '--authorization-kubeconfig', kubeconfig];
  return [
    '--kubeconfig',
    kubeconfig,
    ...authorizing,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--port=0',
  ];
}
