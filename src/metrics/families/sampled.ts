import { Counter, Gauge, type Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;
export type Samples = Iterable<readonly [labels: Labels, value: number]>;

export interface Family {
  readonly registers: Registry[];
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** The values now. Those of a counter never become less. */
  readonly samples: () => Samples;
}

/** A metric that is counted elsewhere and looked at when somebody asks. */
export function sampled({ kind, registers, name, help, labels = [], samples }: Family): void {
  const metric = {
    registers,
    name: `rpftrace_${name}`,
    help,
    labelNames: [...labels],
    collect(this: { reset(): void; inc(labels: Labels, value: number): void }) {
      this.reset();
      for (const [of, value] of samples()) this.inc(of, value);
    },
  };
  if (kind === 'counter') new Counter(metric);
  else new Gauge(metric);
}

/** One value without labels. */
export function only(value: number | bigint): Samples {
  return [[{}, Number(value)]];
}
