import { join } from 'node:path';
import { type Client, credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { FOLDER } from './settings.js';

/** What a kubelet asks of a container runtime; cri-admin.proto has the messages. */
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

const definition = loadSync(join(FOLDER, 'cri-admin.proto'), { defaults: true, longs: Number });
const { runtime } = loadPackageDefinition(definition) as unknown as {
  runtime: { v1: { RuntimeService: new (address: string, credentials: unknown) => Client } };
};
const { RuntimeService } = runtime.v1;
