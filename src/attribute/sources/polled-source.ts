import type { Observer, PeerSighting, PodSighting, Source, SourceName, SourceState } from '../source.js';
import { Health } from './health.js';
import { Ledger } from './ledger.js';
import { type Pace, Poller } from './poller.js';

/** A source that looks again and again, and tells what is other than it was at the look before. */
export abstract class PolledSource implements Source {
  readonly name: SourceName;
  protected readonly health: Health;
  readonly #ledger = new Ledger();
  readonly #poller: Poller;
  #observer: Observer | undefined;

  constructor(name: SourceName, pace: Pace) {
    this.name = name;
    this.health = new Health(name);
    this.#poller = new Poller((signal) => this.#lookOrFail(signal), pace);
  }

  get state(): SourceState {
    return this.health.state;
  }

  start(observer: Observer): void {
    this.#observer = observer;
    this.#poller.start();
  }

  nudge(): void {
    this.#poller.nudge();
  }

  async stop(): Promise<void> {
    await this.#poller.stop();
  }

  /**
   * Looks once, never before start() and never twice at the same time. Resolves to whether anything has changed, when `health`
   * knows how it went; what it rejects with is told as the reason why the source failed.
   */
  protected abstract look(observer: Observer, signal: AbortSignal): Promise<boolean>;

  /**
   * These are all pods and peers that there are. Resolves to whether any of them is new, other than before, or gone. Comes
   * last: `health` knows by then how it went.
   */
  protected async tell(
    signal: AbortSignal,
    pods: readonly PodSighting[],
    peers?: readonly PeerSighting[],
  ): Promise<boolean> {
    return await this.#ledger.tell(this.#observer as Observer, signal, pods, peers);
  }

  async #lookOrFail(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.look(this.#observer as Observer, signal);
    } catch (error) {
      this.health.failed((error as Error).message);
      return false;
    }
  }
}
