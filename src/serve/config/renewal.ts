import { toTracerError } from '../../errors.js';
import type { Config } from './schema.js';
import { readSecrets, type Secrets } from './secrets.js';

export interface RenewalOptions {
  /** As it is now. */
  readonly config: () => Config;
  /** Those that are in use. */
  readonly secrets: Secrets;
  /** Gets those that are others now. */
  readonly take: (secrets: Secrets) => void;
  /** For people: what they should know, in words. */
  readonly note: (text: string) => void;
}

/**
 * Looks once a minute whether the files of token and certificate say something else: who renews a secret of Kubernetes sends
 * no signal. While what they say is none, the ones before stay.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #timer: NodeJS.Timeout;
  #known: string;
  #failure: string | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#known = JSON.stringify(options.secrets);
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  /** They have been read for another reason. */
  set known(secrets: Secrets) {
    this.#known = JSON.stringify(secrets);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      this.#compare();
      this.#failure = undefined;
    } catch (thrown) {
      const { message } = toTracerError(thrown);
      if (message !== this.#failure) this.#options.note(`${message}; the ones before stay`);
      this.#failure = message;
    }
  }

  #compare(): void {
    const { config, take, note } = this.#options;
    const secrets = readSecrets(config(), () => undefined); // who can read them has been told at the start
    const text = JSON.stringify(secrets);
    if (text === this.#known) return;
    take(secrets);
    this.#known = text;
    note('the token or the certificate has changed, and was read again');
  }
}

const INTERVAL_MS = 60_000;
