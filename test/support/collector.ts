import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect } from 'vitest';
import { loadProto } from './proto-json.js';

type Attributes = Readonly<Record<string, unknown>>;

export interface CollectedLog {
  readonly eventName: string;
  readonly timeNs: bigint;
  readonly severity: number;
  readonly body: unknown;
  readonly attributes: Attributes;
  readonly resource: Attributes;
}

export interface CollectedPoint {
  readonly metric: string;
  readonly unit: string;
  readonly isMonotonic: boolean;
  readonly isCumulative: boolean;
  readonly startNs: bigint;
  readonly timeNs: bigint;
  readonly value: number;
  readonly attributes: Attributes;
}

/** One that is open during each test of a file, and must not have got what contradicts itself. */
export function useCollector(): Collector {
  const collector = new Collector();
  beforeEach(() => {
    collector.forget();
    return collector.open();
  });
  afterEach(async () => {
    await collector.close();
    expect(collector.contradictions).toEqual([]);
  });
  return collector;
}

/** Takes OTLP over HTTP as a collector does: protobuf that it decodes by the published layout. */
export class Collector {
  readonly logs: CollectedLog[] = [];
  /** The last of each metric and its attributes. */
  readonly points = new Map<string, CollectedPoint>();
  /** Points that no sum can go on with, by the data model of OTLP. */
  readonly contradictions: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** What it answers instead of taking anything. */
  refusal: number | undefined;
  /** How many log records or data points of each request it says that it does not take, and why. */
  rejection: { readonly count: number; readonly why: string } | undefined;
  /** What it says instead of what a collector says. */
  answer: string | undefined;
  /** Requests that were not taken. */
  refused = 0;
  #server: Server | undefined;
  #onRequest: () => void = () => undefined;
  #port = 0;

  async open(port = 0): Promise<void> {
    this.#server = createServer((request, response) => this.#take(request, response));
    await new Promise<void>((resolve) => this.#server?.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  forget(): void {
    for (const list of [this.logs, this.headers, this.contradictions]) list.length = 0;
    this.points.clear();
    this.refusal = undefined;
    this.rejection = undefined;
    this.answer = undefined;
    this.refused = 0;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  logsOf(eventName: string): CollectedLog[] {
    return this.logs.filter((log) => log.eventName === eventName);
  }

  /** Resolves when what came satisfies this. */
  async until(satisfied: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRequest = () => {
        if (satisfied()) resolve();
      };
      this.#onRequest();
    });
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    if (this.refusal !== undefined) {
      this.refused++;
      response.writeHead(this.refusal).end();
    } else {
      this.headers.push(request.headers);
      const body = Buffer.concat(pieces);
      this.#read(request.url ?? '', request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(this.#answer(request.url));
    }
    this.#onRequest();
  }

  #answer(path: string | undefined): Uint8Array | string | undefined {
    if (this.answer !== undefined) return this.answer;
    if (this.rejection === undefined) return undefined;
    const { count, why } = this.rejection;
    return path === '/v1/logs'
      ? encode('ExportLogsServiceResponse', { rejected_log_records: count, error_message: why })
      : encode('ExportMetricsServiceResponse', { rejected_data_points: count, error_message: why });
  }

  /** As those do who keep sums: a new start time alone lets one begin anew, and not before the old one has ended. */
  #addPoint(point: CollectedPoint): void {
    const key = JSON.stringify([point.metric, point.attributes]);
    const last = this.points.get(key);
    const contradict = (why: string) => this.contradictions.push(`${key}: ${why}`);
    if (!point.isMonotonic || !point.isCumulative) contradict('it is no sum that grows');
    if (point.startNs === 0n || point.startNs > point.timeNs) contradict('it has no start time');
    if (last && point.startNs === last.startNs && point.value < last.value) contradict('it became less');
    if (last && point.startNs !== last.startNs && point.startNs < last.timeNs) contradict('it overlaps');
    this.points.set(key, point);
  }

  #read(path: string, body: Buffer): void {
    if (path === '/v1/logs') this.logs.push(...readLogs(body));
    else if (path === '/v1/metrics') for (const point of readPoints(body)) this.#addPoint(point);
    else throw new Error(`nobody sends to ${path}`);
  }
}

function readLogs(body: Buffer): CollectedLog[] {
  return decode('ExportLogsServiceRequest', body).resource_logs.flatMap(({ resource, scope_logs }: Any) =>
    scope_logs.flatMap(({ log_records }: Any) =>
      log_records.map((record: Any) => ({
        eventName: record.event_name,
        timeNs: BigInt(record.time_unix_nano),
        severity: record.severity_number,
        body: plain(record.body),
        attributes: attributesOf(record.attributes),
        resource: attributesOf(resource.attributes),
      })),
    ),
  );
}

function readPoints(body: Buffer): CollectedPoint[] {
  return decode('ExportMetricsServiceRequest', body).resource_metrics.flatMap(({ scope_metrics }: Any) =>
    scope_metrics.flatMap(({ metrics }: Any) =>
      metrics.flatMap(({ name, unit, sum }: Any) =>
        (sum?.data_points ?? []).map((point: Any) => ({
          ...{ metric: name, unit, isMonotonic: sum.is_monotonic },
          isCumulative: sum.aggregation_temporality === CUMULATIVE,
          startNs: BigInt(point.start_time_unix_nano ?? 0),
          timeNs: BigInt(point.time_unix_nano ?? 0),
          value: Number(point.as_int ?? point.as_double),
          attributes: attributesOf(point.attributes),
        })),
      ),
    ),
  );
}

// biome-ignore lint/suspicious/noExplicitAny: messages as the proto file has them
type Any = any;

function decode(name: string, body: Buffer): Any {
  const type = proto.lookupType(`otlp.${name}`);
  return type.toObject(type.decode(body), { longs: String, arrays: true });
}

function attributesOf(attributes: { key: string; value: Any }[]): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

function encode(name: string, partialSuccess: object): Uint8Array {
  const type = proto.lookupType(`otlp.${name}`);
  return type.encode(type.fromObject({ partial_success: partialSuccess })).finish();
}

function plain(value: Any): unknown {
  if (value?.array_value) return value.array_value.values.map(plain);
  if (value?.int_value !== undefined) return Number(value.int_value);
  return value?.string_value ?? value?.bool_value ?? value?.double_value;
}

/** AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE */
const CUMULATIVE = 2;
const proto = loadProto(join(import.meta.dirname, 'otlp.proto'));
