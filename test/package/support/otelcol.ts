import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// @ts-expect-error plain JavaScript, as all scripts
import { cached } from '../../../scripts/lib/cache.mjs';
// @ts-expect-error plain JavaScript, as all scripts
import { unstableRoot } from '../../../scripts/lib/unstable.mjs';

import { freePort } from '../../support/prometheus.js';

const source = join(import.meta.dirname, 'otelcol', 'main.go');

/** Where the collector sends what it takes. */
export interface Targets {
  readonly logs: string;
  readonly metrics: string;
}

/** A collector of OpenTelemetry that takes OTLP over HTTP, and hands on logs and metrics by it, too. */
export class OpenTelemetryCollector {
  readonly url: string;
  readonly #program: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'otelcol-'));
  #child: ChildProcess | undefined;

  private constructor(program: string, port: number, { logs, metrics }: Targets) {
    this.#program = program;
    this.url = `http://127.0.0.1:${port}`;
    const to = (url: string) => ({ endpoint: url, tls: { insecure: true } });
    writeFileSync(
      this.#config,
      JSON.stringify({
        receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
        exporters: { 'otlp_http/logs': to(logs), 'otlp_http/metrics': to(metrics) },
        service: {
          telemetry: { metrics: { level: 'none' } },
          pipelines: {
            logs: { receivers: ['otlp'], exporters: ['otlp_http/logs'] },
            metrics: { receivers: ['otlp'], exporters: ['otlp_http/metrics'] },
          },
        },
      }),
    );
  }

  static async start(targets: Targets): Promise<OpenTelemetryCollector> {
    const collector = new OpenTelemetryCollector(await builtCollector(), await freePort(), targets);
    await collector.open();
    return collector;
  }

  /** Resolves when it takes what is sent. */
  async open(): Promise<void> {
    const child = spawn(this.#program, ['--config', `file:${this.#config}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    let words = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        words += text;
        if (words.includes('Everything is ready')) resolve();
      });
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`the collector ended with ${code}: ${words}`)));
    });
  }

  /** As a machine that fails would. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.#child?.once('exit', resolve));
    if (this.#child?.kill('SIGKILL')) await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #config(): string {
    return join(this.#directory, 'config.yaml');
  }
}

/**
 * The path of a collector of OpenTelemetry. Debian has it as a library only, and only unstable does: it is compiled by the Go that lies beside
 * it there. Takes some minutes and 330 MB from the archive for the first time.
 */
export async function builtCollector(): Promise<string> {
  const key = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const directory: string = await cached(join('otelcol', key), (made: string, scratch: string) => {
    const root = join(scratch, 'root');
    unstableRoot(root, 'extract', ['golang-go', 'golang-opentelemetry-collector-dev']);
    execFileSync(join(root, 'usr/bin/go'), ['build', '-o', join(made, 'otelcol'), source], {
      cwd: scratch,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        GOROOT: join(root, 'usr/lib/go'),
        GO111MODULE: 'off', // Debian's packages are found by GOPATH
        GOPATH: join(root, 'usr/share/gocode'),
        GOCACHE: join(scratch, 'cache'),
        GOTOOLCHAIN: 'local',
        CGO_ENABLED: '0', // no compiler of C, and a program that runs with any libc
      },
    });
  });
  return join(directory, 'otelcol');
}
