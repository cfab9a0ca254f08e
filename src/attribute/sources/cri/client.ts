import type { CallOptions, Client, ClientReadableStream, ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import { packageFile } from '../../../package-file.js';

/** proto/cri.proto, as the loader turns it into objects: absent messages are null, absent strings ''. */
export interface Sandbox {
  readonly id: string;
  readonly metadata: { readonly name: string; readonly uid: string; readonly namespace: string } | null;
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
  /** Nanoseconds since the epoch, as exact as a number can be. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface SandboxStatus {
  readonly status: {
    readonly network: {
      readonly ip: string;
      readonly additionalIps: readonly { readonly ip: string }[];
    } | null;
    readonly linux: {
      readonly namespaces: { readonly options: { readonly network: string } | null } | null;
    } | null;
  } | null;
  readonly info: Readonly<Record<string, string>>;
}

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string } | null;
  readonly state: string;
}

export interface CriEvents {
  cancel(): void;
}

/** Asks a container runtime over its socket. Calls reject with the runtime's or the connection's own words. */
export class CriClient {
  readonly #service: Service;
  readonly #deadlineMs: number;
  readonly #calls = new Set<ClientUnaryCall>();

  private constructor(service: Service, deadlineMs: number) {
    this.#service = service;
    this.#deadlineMs = deadlineMs;
  }

  /** Loads gRPC, some 100 ms of this thread the first time. Does not wait for the runtime. */
  static async open(socket: string, deadlineMs: number): Promise<CriClient> {
    const [grpc, loader] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
    const definition = await loader.load(packageFile('proto/cri.proto'), {
      defaults: true,
      enums: String,
      longs: Number,
    });
    const { runtime } = grpc.loadPackageDefinition(definition) as unknown as Package;
    const service = new runtime.v1.RuntimeService(
      `unix:${socket}`,
      grpc.credentials.createInsecure(),
      OPTIONS,
    );
    return new CriClient(service, deadlineMs);
  }

  async sandboxes(): Promise<readonly Sandbox[]> {
    const { items } = await this.#call<{ items: Sandbox[] }>('ListPodSandbox', {});
    return items;
  }

  async containers(): Promise<readonly Container[]> {
    const { containers } = await this.#call<{ containers: Container[] }>('ListContainers', {});
    return containers;
  }

  async status(podSandboxId: string): Promise<SandboxStatus> {
    return await this.#call<SandboxStatus>('PodSandboxStatus', { podSandboxId, verbose: true });
  }

  /** Calls back for whatever happens to a container. `onEnd` says whether the runtime knows no events at all. */
  events(onEvent: () => void, onEnd: (unimplemented: boolean) => void): CriEvents {
    const stream = this.#service.GetContainerEvents({});
    stream.on('data', onEvent);
    stream.on('error', ({ code }: ServiceError) => onEnd(code === UNIMPLEMENTED));
    stream.on('end', () => onEnd(false));
    return stream;
  }

  /** What was asked and not answered yet rejects: it would keep the process alive until its deadline. */
  close(): void {
    for (const call of this.#calls) call.cancel();
    this.#service.close();
  }

  #call<Answer>(method: UnaryMethod, request: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, answer: unknown) => {
        this.#calls.delete(call);
        if (error) reject(new Error(this.#wordsOf(error)));
        else resolve(answer as Answer);
      };
      const call = this.#service[method](request, { deadline: Date.now() + this.#deadlineMs }, done);
      this.#calls.add(call);
    });
  }

  #wordsOf({ code, details }: ServiceError): string {
    if (code === DEADLINE_EXCEEDED) return `did not answer within ${this.#deadlineMs / 1000} s`;
    const errno = /connect (E[A-Z]+)/.exec(details)?.[1];
    return errno === undefined ? details : (CONNECT_ERRORS[errno] ?? errno);
  }
}

/** include/grpc/status.h */
const UNIMPLEMENTED = 12;
const DEADLINE_EXCEEDED = 4;

const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied (EACCES): asking the container runtime needs root, or the group of its socket',
  ECONNREFUSED: 'nobody listens at its socket (ECONNREFUSED): is it running?',
};

const OPTIONS = {
  // Of kubelet and containerd (16 MiB); a list of 10,000 pods has some 10 MiB.
  'grpc.max_receive_message_length': 16 << 20,
  // The poller decides when to try again.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
};

type UnaryMethod = 'ListPodSandbox' | 'ListContainers' | 'PodSandboxStatus';

type Unary = (
  request: object,
  options: CallOptions,
  done: (error: ServiceError | null, answer: unknown) => void,
) => ClientUnaryCall;

interface Service extends Client, Record<UnaryMethod, Unary> {
  GetContainerEvents(request: object): ClientReadableStream<unknown>;
}

interface Package {
  readonly runtime: {
    readonly v1: {
      readonly RuntimeService: new (address: string, credentials: unknown, options: object) => Service;
    };
  };
}
