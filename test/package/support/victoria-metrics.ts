import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// @ts-expect-error plain JavaScript, as all scripts
import { unpacked } from '../../../scripts/lib/unpacked.mjs';
import { freePort } from '../../support/prometheus.js';
import { PrometheusApi } from '../../support/prometheus-api.js';

/** Debian's, of the release after this machine's: the OTLP that it takes becomes series with the names that Prometheus gives them. */
export class VictoriaMetrics extends PrometheusApi {
  /** What is given to --otlp. */
  readonly otlp: string;
  readonly #directory: string;
  readonly #child: ChildProcess;

  private constructor(program: string, port: number) {
    const url = `http://127.0.0.1:${port}`;
    super(async (path) => {
      await fetch(`${url}/internal/force_flush`); // else what came is seen after some 10 s
      return (await fetch(url + path)).json() as Promise<never>;
    });
    this.otlp = `${url}/opentelemetry`;
    this.#directory = mkdtempSync(join(tmpdir(), 'victoria-metrics-'));
    const flags = [
      `-storageDataPath=${this.#directory}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-opentelemetry.usePrometheusNaming',
      // As Prometheus, which tells senders apart by these two alone.
      '-opentelemetry.promoteAllResourceAttributes=false',
      '-opentelemetry.promoteResourceAttributes=service.name,service.instance.id,k8s.cluster.name',
      '-search.latencyOffset=1ms', // else what came last is held back
    ];
    this.#child = spawn(program, flags, { stdio: 'ignore' });
  }

  static async start(): Promise<VictoriaMetrics> {
    const program = join(await unpacked('unstable', 'victoria-metrics'), 'usr/bin/victoria-metrics');
    const started = new VictoriaMetrics(program, await freePort());
    const ended = started.#ended();
    ended.catch(() => undefined); // once it has begun, whoever asks it is told
    await Promise.race([started.until('vector(1)', ({ length }) => length === 1), ended]);
    return started;
  }

  /** Rejects when it ends by itself, or does not begin. */
  async #ended(): Promise<never> {
    const [code] = await once(this.#child, 'exit');
    throw new Error(`victoria-metrics ended with ${code}`);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
