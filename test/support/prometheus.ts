import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Debian's Prometheus, which scrapes one target each 200 ms. */
export class Prometheus {
  readonly #directory = mkdtempSync(join(tmpdir(), 'prometheus-'));
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(port: number, target: string, rules: readonly string[]) {
    const config = join(this.#directory, 'prometheus.yml');
    this.#url = `http://127.0.0.1:${port}`;
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '200ms', scrape_timeout: '200ms', evaluation_interval: '200ms' },
        rule_files: rules,
        scrape_configs: [
          { job_name: 'rpftrace', honor_labels: true, static_configs: [{ targets: [target] }] },
        ],
      }),
    );
    this.#child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(this.#directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
  }

  static async start(target: string, rules: readonly string[] = []): Promise<Prometheus> {
    const prometheus = new Prometheus(await freePort(), target, rules);
    await prometheus.until('up == 1', (samples) => samples.length === 1);
    return prometheus;
  }

  /** Throws for what is no expression. */
  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, data, error } = (await response.json()) as Answer;
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
    const response = await fetch(`${this.#url}/api/v1/alerts`);
    const { data } = (await response.json()) as { data: { alerts: Alert[] } };
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
