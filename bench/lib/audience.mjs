import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root, Stop } from '../../scripts/lib/command.mjs';

/** Readers of a server, all in one process beside the sender, so that what they use is not the server's. */
export class Audience {
  #child;
  #heard;

  /** Resolves when all of them read. */
  static async open({ socket, readers, netns, cpu }) {
    const audience = new Audience();
    const script = join(root, 'bench', 'lib', 'audience-process.mjs');
    const words = [process.execPath, script, socket, String(readers), String(netns)];
    audience.#child = spawn('taskset', ['--cpu-list', String(cpu), ...words], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await audience.#next();
    audience.#heard = audience.#next();
    audience.#heard.catch(() => undefined); // whoever waits for it is told
    return audience;
  }

  get pid() {
    return this.#child.pid;
  }

  /** What they heard, once the server has ended the stream. */
  get heard() {
    return this.#heard;
  }

  close() {
    this.#child.kill('SIGKILL');
  }

  async #next() {
    const ended = once(this.#child, 'exit').then(([code]) => {
      throw new Stop(`the readers ended with ${code}`);
    });
    const [message] = await Promise.race([once(this.#child, 'message'), ended]);
    return message;
  }
}
