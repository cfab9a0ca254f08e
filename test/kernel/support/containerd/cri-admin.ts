import { join } from 'node:path';
import {
  type Client,
  credentials,
  makeClientConstructor,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ROOT } from '../../../../src/root.js';
import { FOLDER } from './settings.js';

/** What a kubelet asks of a container runtime; cri.proto and cri-admin.proto have the messages. */
export class CriAdmin {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new RuntimeService(`unix:${socket}`, credentials.createInsecure());
  }

  /** Rejects with the runtime's own words. */
  call<Answer>(method: string, request: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const deadline = new Date(Date.now() + DEADLINE_MS);
      const done = (error: ServiceError | null, answer: Answer) => (error ? reject(error) : resolve(answer));
      (this.#client as unknown as Methods)[method]?.(request, { deadline }, done);
    });
  }

  close(): void {
    this.#client.close();
  }
}

const DEADLINE_MS = 30_000;

type Methods = Record<
  string,
  (request: object, options: object, done: (...results: never[]) => void) => void
>;

const { 'runtime.v1.RuntimeService': asked, 'runtime.v1.RuntimeAdmin': admin } = loadSync('cri-admin.proto', {
  includeDirs: [FOLDER, join(ROOT, 'proto')],
  defaults: true,
  longs: Number,
}) as Record<string, ServiceDefinition>;
const calls = Object.entries(admin as ServiceDefinition).map(
  ([name, call]) => [name, { ...call, path: `/runtime.v1.RuntimeService/${name}` }] as const,
);
const RuntimeService = makeClientConstructor({ ...asked, ...Object.fromEntries(calls) }, 'RuntimeService');
