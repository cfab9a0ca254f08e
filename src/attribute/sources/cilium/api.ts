import type { IncomingMessage } from 'node:http';
import { ElementSplitter } from './elements.js';

export interface ApiLimits {
  /** Of a whole answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Of a whole answer. */
  readonly maxBytes: number;
}

/** It answered, and this is not what was asked for. */
export class StatusError extends Error {
  readonly status: number;

  constructor(path: string, status: number) {
    super(`GET ${path} was answered with ${status}`);
    this.status = status;
  }
}

/** Asks the Cilium agent over its socket. Everything rejects with what is wrong, in words. */
export class CiliumApi {
  readonly #socket: string;
  readonly #limits: ApiLimits;

  constructor(socket: string, limits: ApiLimits) {
    this.#socket = socket;
    this.#limits = limits;
  }

  async get(path: string, signal: AbortSignal): Promise<unknown> {
    const parts: string[] = [];
    await this.#read(path, signal, (chunk) => parts.push(chunk));
    try {
      return JSON.parse(parts.join(''));
    } catch {
      throw new Error(`GET ${path}: the answer is no JSON`);
    }
  }

  /** Hands over the elements of a list one by one, while they arrive. */
  async list(path: string, signal: AbortSignal, onElement: (element: unknown) => void): Promise<void> {
    const splitter = new ElementSplitter((text) => onElement(JSON.parse(text)), MAX_ELEMENT_CHARS);
    try {
      await this.#read(path, signal, (chunk) => splitter.push(chunk));
      splitter.end();
    } catch (error) {
      throw error instanceof SyntaxError ? new Error(`GET ${path}: the answer is no JSON`) : error;
    }
  }

  async #read(path: string, stop: AbortSignal, onChunk: (chunk: string) => void): Promise<void> {
    const timeout = AbortSignal.timeout(this.#limits.timeoutMs);
    try {
      const answer = await this.#request(path, AbortSignal.any([stop, timeout]));
      await this.#receive(path, answer, onChunk);
    } catch (error) {
      if (!timeout.aborted) throw inWords(error as NodeJS.ErrnoException);
      throw new Error(`GET ${path} was not answered within ${this.#limits.timeoutMs / 1000} s`);
    }
  }

  async #request(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { request } = await import('node:http');
    return await new Promise((resolve, reject) => {
      const options = {
        socketPath: this.#socket,
        path,
        signal,
        agent: false,
        headers: { Host: 'localhost' },
      };
      request(options, resolve).on('error', reject).end();
    });
  }

  async #receive(path: string, answer: IncomingMessage, onChunk: (chunk: string) => void): Promise<void> {
    let bytes = 0;
    try {
      if (answer.statusCode !== 200) throw new StatusError(path, answer.statusCode ?? 0);
      for await (const chunk of answer.setEncoding('utf8')) {
        bytes += (chunk as string).length;
        if (bytes > this.#limits.maxBytes) {
          throw new Error(`GET ${path}: the answer has more than ${this.#limits.maxBytes >> 20} MiB`);
        }
        onChunk(chunk as string);
      }
    } finally {
      answer.destroy();
    }
  }
}

/** An endpoint with a long policy and log has some 100 KiB. */
const MAX_ELEMENT_CHARS = 4 << 20;

/** Of the system's own errors, those that have a remedy. */
function inWords(error: NodeJS.ErrnoException): Error {
  switch (error.code) {
    case 'EACCES':
      return new Error(
        'permission denied (EACCES): asking the Cilium agent needs root, or the group of its socket',
      );
    case 'ECONNREFUSED':
      return new Error('nobody listens at its socket (ECONNREFUSED): is the agent running?');
    default:
      return error;
  }
}
