import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { printable } from '../../printable.js';
import { PlaceError } from '../place-error.js';

/**
 * One forwarded port as a stream. The first byte of each message names its channel: data, or the words with which the other
 * side gives up. Both begin with the number of the port, two bytes (k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go).
 */
export class PortStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #name: string;
  /** Bytes of the port's number that are still to come, for each channel. */
  readonly #heading = [PORT_BYTES, PORT_BYTES];

  /** `name`: of the port, for people. */
  constructor(socket: WebSocket, name: string) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#name = name;
    socket.on('message', (message: Buffer) => this.#take(message));
    socket.on('close', () => this.push(null));
    socket.on('error', () => this.destroy(this.#failure('the connection broke')));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.send(Buffer.concat([DATA_PREFIX, bytes]), (error) =>
      done(error ? this.#failure('the connection is closed') : null),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }

  #take(message: Buffer): void {
    const channel = message[0];
    if (channel !== DATA && channel !== ERROR) return;
    const rest = this.#withoutHeading(channel, message.subarray(1));
    if (rest.length === 0 || this.destroyed) return;
    if (channel === ERROR) this.#giveUp(rest.toString('utf8', 0, MAX_WORDS));
    else if (!this.push(rest)) this.#socket.pause();
  }

  #withoutHeading(channel: 0 | 1, bytes: Buffer): Buffer {
    const skipped = Math.min(this.#heading[channel] as number, bytes.length);
    (this.#heading as number[])[channel] = (this.#heading[channel] as number) - skipped;
    return bytes.subarray(skipped);
  }

  /** What the container runtime says holds no secrets, and names paths of the node that help nobody. */
  #giveUp(words: string): void {
    const isRefused = /connection refused/i.test(words);
    const why = isRefused
      ? 'nobody listens there'
      : `the node could not forward the port: ${printable(words)}`;
    this.destroy(this.#failure(why, isRefused ? NO_LISTENER : undefined));
  }

  #failure(why: string, remedies?: readonly string[]): PlaceError {
    return new PlaceError('E_UNREACHABLE', this.#name, why, { link: ': ', ...(remedies && { remedies }) });
  }
}

const NO_LISTENER = [
  'see that rpftrace serve runs in this pod, and listens on its loopback: http://127.0.0.1:14100 unless told otherwise',
  'name the port that it listens on: k8s:NAMESPACE/POD:PORT',
];
const DATA = 0;
const ERROR = 1;
const DATA_PREFIX = Buffer.of(DATA);
const PORT_BYTES = 2;
/** containerd has the reason at the end, behind two names of 64 letters. */
const MAX_WORDS = 1000;
