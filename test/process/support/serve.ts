import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TraceEvent } from '../../../src/events.js';
import { type Program, parseEvents, type RunOptions, startAttached } from './program.js';

/** A running `rpftrace serve` on a socket of its own. */
export interface Served {
  readonly program: Program;
  readonly directory: string;
  readonly socket: string;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  json<T>(path: string): Promise<T>;
  follow(path: string, headers?: Record<string, string>): Promise<Following>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** No source of pods: what else runs on this machine is not the test's. */
export const ALONE = ['--no-cilium', '--no-cri', '--no-kubernetes', '--no-processes'];

/** Starts it; it is killed when the test is over. */
export async function startServe(
  args: readonly string[],
  { directory = scratch(), ...options }: RunOptions & { directory?: string } = {},
): Promise<Served> {
  const socket = join(directory, 'rpftrace.sock');
  const program = await startAttached('serve', ['--listen', `unix:${socket}`, ...ALONE, ...args], options);
  onTestFinished(() => program.kill('SIGKILL'));
  return servedAt(program, directory, socket);
}

export function servedAt(program: Program, directory: string, socket: string): Served {
  const get = (path: string, headers = {}) => getFrom({ socketPath: socket }, path, headers);
  return {
    program,
    directory,
    socket,
    get,
    json: async (path) => JSON.parse((await get(path)).body),
    follow: (path, headers = {}) => Following.open({ socketPath: socket }, path, headers),
  };
}

export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rpftrace-serve-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Place {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

export async function getFrom(
  place: Place,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await send(place, path, headers);
  let body = '';
  for await (const text of response.setEncoding('utf8')) body += text;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

/** A stream of events that is read as it comes. */
export class Following {
  readonly response: IncomingMessage;
  text = '';
  isOver = false;
  #onText: () => void = () => undefined;

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.#onText();
    });
    response.on('close', () => {
      this.isOver = true;
      this.#onText();
    });
    response.on('error', () => undefined);
  }

  static async open(place: Place, path: string, headers: Record<string, string> = {}): Promise<Following> {
    return new Following(await send(place, path, headers));
  }

  get events(): TraceEvent[] {
    return parseEvents(this.text);
  }

  /** Resolves when this is so; rejects when the stream ends before. */
  until(satisfied: (following: Following) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        if (satisfied(this)) resolve();
        else if (this.isOver) reject(new Error(`the stream ended: ${this.text.slice(-500)}`));
      };
      this.#onText();
    });
  }

  /** Resolves when the stream ended. */
  get over(): Promise<void> {
    return this.until(({ isOver }) => isOver);
  }

  close(): void {
    this.response.destroy();
  }
}

function send(place: Place, path: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, path, headers, agent: false }, resolve);
    sent.on('error', reject);
    sent.end();
  });
}

export const TOKEN = 'correct-horse-battery-staple';

/** A file with that token. */
export function tokenFile(token: string = TOKEN): string {
  const file = join(scratch(), 'token');
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return file;
}

/** Of the address that was asked for with port 0. */
export async function portOf(program: Program): Promise<number> {
  const listening = /listening on https?:\/\/[\d.]+:(\d+)\n/;
  await program.until(({ stderr }) => listening.test(stderr));
  return Number(listening.exec(program.stderr)?.[1]);
}

/** Numbers of the events of one boot; those of a reader's own have none. */
export function numbersOf(events: readonly TraceEvent[]): number[] {
  return events.flatMap(({ event_id: id }) => (id === undefined ? [] : [Number(id.split('-')[1])]));
}

export function epochOf(events: readonly TraceEvent[]): string | undefined {
  return events.find(({ event_id: id }) => id !== undefined)?.event_id?.split('-')[0];
}
