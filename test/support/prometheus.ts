import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PrometheusApi } from './prometheus-api.js';

export interface PrometheusOptions {
  readonly rules?: readonly string[];
  /** What it shows to the target. */
  readonly token?: string;
  /** Path of the network namespace that it runs in. */
  readonly netns?: string;
}

/** Debian's Prometheus, which scrapes one target each 200 ms. */
export class Prometheus extends PrometheusApi {
  readonly #directory = mkdtempSync(join(tmpdir(), 'prometheus-'));
  readonly #child: ChildProcess;

  private constructor(port: number, target: string, { rules, token, netns }: PrometheusOptions) {
    const under = netns === undefined ? [] : ['nsenter', `--net=${netns}`];
    const url = `http://127.0.0.1:${port}`;
    super((path) => askFrom(under, url + path));
    const config = join(this.#directory, 'prometheus.yml');
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
      ...[...under, 'prometheus'],
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

  /** Names of the alerts that fire, with what they tell. */
  async alerts(): Promise<Readonly<Record<string, string>>> {
    const { data } = await this.ask<{ data: { alerts: Alert[] } }>('/api/v1/alerts');
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

/** From inside of a network namespace, where there are words that lead into it. */
async function askFrom<T>(under: readonly string[], url: string): Promise<T> {
  if (under.length === 0) return (await (await fetch(url)).json()) as T;
  const script = 'fetch(process.argv[1]).then(async (response) => console.log(await response.text()))';
  const [command = '', ...args] = [...under, process.execPath, '-e', script, url];
  return JSON.parse((await promisify(execFile)(command, args)).stdout) as T;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Alert {
  labels: { alertname: string };
  annotations: { description: string };
}
