import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusOptions {
  readonly rules?: readonly string[];
  /** What it shows to the target. */
  readonly token?: string;
  /** Path of the network namespace that it runs in. */
  readonly netns?: string;
}

/** Debian's Prometheus, which scrapes one target each 200 ms. */
export class Prometheus {
  readonly #directory = mkdtempSync(join(tmpdir(), 'prometheus-'));
  readonly #child: ChildProcess;
  readonly #url: string;
  readonly #under: readonly string[];

  private constructor(port: number, target: string, { rules, token, netns }: PrometheusOptions) {
    this.#under = netns === undefined ? [] : ['nsenter', `--net=${netns}`];
    const config = join(this.#directory, 'prometheus.yml');
    this.#url = `http://127.0.0.1:${port}`;
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '200ms', scrape_timeout: '200ms', evaluation_interval: '200ms' },
        rule_files: rules,
        scrape_configs: [
          {
            ...{ job_name: 'rpftrace', honor_labels: true, static_configs: [{ targets: [target] }] },
            ...(token !== undefined && { authorization: { credentials: token } }),
          },
        ],
      }),
    );
    const [command = '', ...args] = [
      ...[...this.#under, 'prometheus'],
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(this.#directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    this.#child = spawn(command, args, { stdio: 'ignore' });
  }

  static async start(target: string, options: PrometheusOptions = {}): Promise<Prometheus> {
    const prometheus = new Prometheus(await freePort(), target, options);
    await prometheus.until('up == 1', (samples) => samples.length === 1);
    return prometheus;
  }

  /** Throws for what is no expression. */
  async query(expression: string): Promise<Sample[]> {
    const { status, data, error } = await this.#ask<Answer>(
      `/api/v1/query?query=${encodeURIComponent(expression)}`,
    );
    if (status !== 'success') throw new Error(`${expression}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Asks again until the answer is as wanted. */
  async until(expression: string, satisfied: (samples: readonly Sample[]) => boolean): Promise<Sample[]> {
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      const samples = await this.query(expression).catch(() => []);
      if (satisfied(samples)) return samples;
      if (Date.now() > end) throw new Error(`${expression} stays at ${JSON.stringify(samples)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Names of the alerts that fire, with what they tell. */
  async alerts(): Promise<Readonly<Record<string, string>>> {
    const { data } = await this.#ask<{ data: { alerts: Alert[] } }>('/api/v1/alerts');
    return Object.fromEntries(
      data.alerts.map(({ labels, annotations }) => [labels.alertname, annotations.description]),
    );
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** From inside of its network namespace, where it has one of its own. */
  async #ask<T>(path: string): Promise<T> {
    if (this.#under.length === 0) return (await (await fetch(this.#url + path)).json()) as T;
    const script = 'fetch(process.argv[1]).then(async (response) => console.log(await response.text()))';
    const [command = '', ...args] = [...this.#under, process.execPath, '-e', script, this.#url + path];
    return JSON.parse((await promisify(execFile)(command, args)).stdout) as T;
  }
}

/** Complaints of promtool about an exposition. Empty: none. */
export function lintMetrics(text: string): string {
  try {
    return execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    return String((error as { stderr: string }).stderr);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Answer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

interface Alert {
  labels: { alertname: string };
  annotations: { description: string };
}

const PATIENCE_MS = 30_000;
