export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Asks what answers as Prometheus does; `ask` gets the answer to a path. */
export class PrometheusApi {
  readonly ask: <T>(path: string) => Promise<T>;

  constructor(ask: <T>(path: string) => Promise<T>) {
    this.ask = ask;
  }

  /** Throws for what is no expression. */
  async query(expression: string): Promise<Sample[]> {
    const { status, data, error } = await this.ask<Answer>(
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
}

interface Answer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

const PATIENCE_MS = 30_000;
