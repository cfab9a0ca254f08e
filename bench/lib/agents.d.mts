import type { ServerResponse } from 'node:http';

/** Stands for many `rpftrace serve`: what tests use of it. */
export class Agents {
  listen(): Promise<this>;
  add(node: string, options?: { epoch?: string; history?: number; hasBeats?: boolean }): Agent;
  urlOf(agent: Agent): string;
  close(): Promise<void>;
}

export class Agent {
  readonly node: string;
  readonly readers: number;
  readonly isAway: boolean;
  readonly told: number;
  tell(event: object): void;
  tellText(text: string): void;
  leave(): void;
  comeBack(): void;
  cut(): void;
  /** A question for its events. */
  answer(query: URLSearchParams, response: ServerResponse): void;
}
