import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { authorizeInTime } from '../../attribute/sources/kubernetes/authorize.js';
import { ApiFailure, failureOfStatus, toFailure } from '../../attribute/sources/kubernetes/failure.js';
import { seconds } from '../../attribute/sources/kubernetes/timing.js';
import { printable } from '../../printable.js';
import { VERSION } from '../../version.js';
import type { KubernetesApi } from './api.js';
import { PortStream } from './port-stream.js';

/** A port within a pod's network namespace. */
export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/**
 * A connection to a port of a pod, on its loopback, through API server and kubelet. Whether somebody listens there is known
 * only when it is read: then the stream ends with E_UNREACHABLE.
 *
 * @throws {ApiFailure}
 */
export async function forwardPort(api: KubernetesApi, port: PodPort, signal: AbortSignal): Promise<Duplex> {
  const authorized = await authorizeInTime(api.credentials, api.timing, signal);
  const { server, options } = authorized;
  const { agent, auth, headers } = options;
  const url = `${server}${pathOf(port)}/portforward?ports=${port.port}`;
  const socket = new WebSocket(url, PROTOCOL, {
    ...(agent !== undefined && { agent }),
    ...(auth && { auth }),
    headers: { ...headers, 'user-agent': `rpftrace/${VERSION}` } as Record<string, string>,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });
  try {
    await opened(socket, permissionOf(port), Math.min(api.timing.answerMs, HANDSHAKE_MS), signal);
  } catch (error) {
    if (toFailure(error).kind === 'unauthorized') api.credentials.forget(authorized);
    throw error;
  }
  return new PortStream(socket, nameOf(port));
}

export function nameOf({ namespace, pod, port }: PodPort): string {
  return printable(`k8s:${namespace}/${pod}:${port}`);
}

export function pathOf({ namespace, pod }: Pick<PodPort, 'namespace' | 'pod'>): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}`;
}

/**
 * A WebSocket begins with GET, for which the server asks for "get". From Kubernetes 1.35 on it asks for "create" too, which
 * is what kubectl's own port-forward has needed ever since.
 */
function permissionOf({ namespace }: PodPort): string {
  return `get and create of pods/portforward in namespace ${namespace}`;
}

function opened(socket: WebSocket, permission: string, withinMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (failure: ApiFailure) => {
      settle();
      socket.terminate();
      reject(failure);
    };
    const onAbort = () => fail(new ApiFailure('stopped', 'stopped'));
    const late = () =>
      fail(new ApiFailure('timeout', `the server did not answer within ${seconds(withinMs)}`));
    const timer = setTimeout(late, withinMs);
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    // What goes wrong later is what the stream is told by its end.
    socket.on('error', (error) => fail(toFailure(error)));
    socket.once('unexpected-response', (_, answer: IncomingMessage) => {
      answer.destroy();
      fail(failureOfStatus(answer.statusCode ?? 0, permission, answer.headers['retry-after']));
    });
    socket.once('open', () => {
      settle();
      // What has come with the answer waits until the stream is read.
      socket.pause();
      resolve();
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

/** The newest that kubelets and container runtimes know for ports: k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go */
const PROTOCOL = 'v4.channel.k8s.io';
/** The API server would go on for longer to reach a node that is gone, and others wait for their turn. */
const HANDSHAKE_MS = 8000;
/** They send 32 KiB at a time. */
const MAX_FRAME_BYTES = 1 << 20;
