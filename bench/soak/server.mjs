import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { root, Stop } from '../../scripts/lib/command.mjs';

/** The `rpftrace serve` that is soaked. */
export class Server {
  stderr = '';
  #child;
  #scratch;
  #onText = () => undefined;
  #exited;

  /** Resolves when it is attached. `config`: as in its file, which is read again with reload(). */
  static async start({ scratch, config, environment }) {
    const server = new Server();
    server.#scratch = scratch;
    server.#writeConfig(config);
    const words = ['serve', '--config', server.#file, '--listen', server.#address, '--listen', '127.0.0.1:0'];
    server.#child = spawn(join(root, 'bin', 'rpftrace'), words, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    server.#child.stderr.setEncoding('utf8').on('data', (text) => {
      server.stderr += text;
      server.#onText();
    });
    server.#exited = once(server.#child, 'close');
    await server.until(PORT);
    return server;
  }

  get pid() {
    return this.#child.pid;
  }

  /** Where readers find it, and what they have to bring. */
  get places() {
    const [, port] = PORT.exec(this.stderr);
    return {
      socket: { socketPath: this.#address.slice('unix:'.length) },
      tcp: { host: '127.0.0.1', port: Number(port), headers: { authorization: `Bearer ${TOKEN}` } },
    };
  }

  /** Resolves when it has said this after `from` characters of what it says. */
  async until(pattern, from = 0) {
    const said = new Promise((resolve) => {
      this.#onText = () => pattern.test(this.stderr.slice(from)) && resolve('said');
      this.#onText();
    });
    if ((await Promise.race([said, this.#exited])) !== 'said')
      throw new Stop(`serve ended instead of saying ${pattern}: ${this.stderr}`);
  }

  /** Gives it another file and asks it to read that. Resolves when it says what it made of it. */
  async reload(config) {
    const from = this.stderr.length;
    this.#writeConfig(config);
    this.#child.kill('SIGHUP');
    await this.until(/the configuration (was read again|stays as it was)\n/, from);
  }

  /** Resolves to status and body. */
  async get(path, place = this.places.socket, headers = {}) {
    const sent = request({ ...place, agent: false, path, headers: { ...place.headers, ...headers } });
    const answered = once(sent.end(), 'response');
    sent.on('error', () => undefined); // after the answer: who reads the body is told
    const [response] = await answered;
    let body = '';
    for await (const text of response.setEncoding('utf8')) body += text;
    return { status: response.statusCode, body };
  }

  async json(path) {
    return JSON.parse((await this.get(path)).body);
  }

  /** What it holds now. `bpf`: maps, programs and links by their ids. */
  holdings() {
    const directory = `/proc/${this.pid}`;
    const fds = readdirSync(`${directory}/fd`).flatMap((fd) => kindOf(`${directory}/fd/${fd}`) ?? []);
    const kinds = {};
    for (const kind of fds) kinds[kind] = (kinds[kind] ?? 0) + 1;
    const status = readFileSync(`${directory}/status`, 'utf8');
    return {
      rss_mb: (Number(/^VmRSS:\s*(\d+)/m.exec(status)[1]) * 1024) / 1e6,
      threads: Number(/^Threads:\s*(\d+)/m.exec(status)[1]),
      fds: kinds,
    };
  }

  bpfIds() {
    const directory = `/proc/${this.pid}/fdinfo`;
    const texts = readdirSync(directory).map((fd) => readOrEmpty(`${directory}/${fd}`));
    return [...new Set(texts.flatMap((text) => text.match(/^(map|prog|link)_id:\s*\d+$/gm) ?? []))].sort();
  }

  /** Ends it as a service manager does. Resolves to its exit code. */
  async stop() {
    this.#child.kill('SIGTERM');
    const [code] = await this.#exited;
    return code;
  }

  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  get #file() {
    return join(this.#scratch, 'rpftrace.yaml');
  }

  get #address() {
    return `unix:${join(this.#scratch, 'rpftrace.sock')}`;
  }

  /** What is JSON is YAML. */
  #writeConfig(config) {
    const text = typeof config === 'string' ? config : JSON.stringify({ token: TOKEN, ...config });
    writeFileSync(this.#file, text, { mode: 0o600 });
  }
}

/** "socket", "anon_inode:bpf-map", "history/events"; undefined for one that was closed meanwhile. */
function kindOf(fd) {
  try {
    return readlinkSync(fd)
      .replace(/:?\[\d+\]$/, '')
      .replace(/^.*\/(history\/events)-.*/, '$1');
  } catch {
    return undefined;
  }
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const TOKEN = 'a-token-of-the-soak-alone';
const PORT = /listening on http:\/\/127\.0\.0\.1:(\d+)\n/;
