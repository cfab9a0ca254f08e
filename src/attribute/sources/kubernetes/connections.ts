import { Agent, type AgentOptions } from 'node:https';
import { isDeepStrictEqual } from 'node:util';

/** What a connection is made with. */
export type TlsOptions = Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;

/**
 * What was a list's connection becomes a watch's: each connection that ends is some packets that the kernel drops, which the
 * tracer would then tell of. None is kept that was made with a certificate or key which is not valid any more.
 */
export class Connections {
  #options: TlsOptions | undefined;
  #agent: Agent | undefined;

  agentFor(options: TlsOptions): Agent {
    if (this.#agent !== undefined && isDeepStrictEqual(options, this.#options)) return this.#agent;
    this.close();
    this.#options = options;
    this.#agent = new Agent({ ...options, keepAlive: true });
    return this.#agent;
  }

  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }
}
