import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DropSource } from './support/drops.js';
import { program, rpftrace, startTrace } from './support/program.js';

const source = new DropSource();
const scratch = mkdtempSync(join(tmpdir(), 'pcapng-'));
const here = ['--netns', source.path, '-o', 'pcapng'];

afterAll(() => {
  source.remove();
  rmSync(scratch, { recursive: true });
});

describe('-o pcapng, opened by tshark', () => {
  const file = join(scratch, 'drops.pcapng');
  let rows: Row[] = [];

  beforeAll(async () => {
    const trace = await startTrace([...here, '--out', file]);
    await source.drop(500, { flows: 2 });
    const { code } = await trace.stop();
    expect(code).toBe(0);
    rows = dissect(file);
  });

  it('has a packet for the first drop of a flow and one for the rest, that make all drops together', () => {
    const packets = rows.filter(isPacket);
    expect(packets.length).toBeGreaterThanOrEqual(4);
    expect(packets.reduce((sum, row) => sum + dropsOf(row), 0)).toBe(500);
    expect(packets.filter((row) => /^and \d+ more of this flow/.test(row.comment))).not.toEqual([]);
    for (const { src, dst, port, length, captured } of packets) {
      expect([src, dst]).toEqual(['203.0.113.9', '192.0.2.1']);
      expect(port).toBe('9');
      expect(captured).toBe(length);
    }
  });

  it('says in comments why the packet was dropped, in the words of the events', () => {
    for (const { comment } of rows.filter(isPacket)) {
      expect(comment).toContain('IP_RPFILTER at ip_rcv_finish_core');
      expect(comment).toContain('no_reverse_route: 203.0.113.9 arrived on dropin');
      expect(comment).toMatch(/fix: .*sysctl -w net\.ipv4\.conf\.all\.rp_filter=0/);
    }
  });

  it('names the device, machine and program', () => {
    expect(new Set(rows.filter(isPacket).map((row) => `${row.device}: ${row.description}`))).toEqual(
      new Set([`dropin: veth, peer dropout, network namespace ${source.inode}, node ${hostname()}`]),
    );
    const about = execFileSync('capinfos', [file], { encoding: 'utf8' });
    expect(about).toMatch(/Capture application: +rpftrace \d/);
    expect(about).toMatch(/Capture oper-sys: +Linux \d/);
    expect(about).toMatch(/Time precision = nanoseconds/);
    expect(about).toMatch(/Capture length = 256/);
  });

  it('has what is no drop between the packets, as entries of a journal', () => {
    const entries = rows.filter((row) => !isPacket(row)).map(({ info }) => info);
    expect(entries[0]).toMatch(/^rpftrace .* is attached on /);
    expect(entries.find((info) => info.startsWith('i-1: '))).toContain('rp_filter');
    expect(entries.at(-1)).toMatch(/^rpftrace ends: 500 drops, 0 lost/);
  });

  it('has times in nanoseconds, in the order of the drops', () => {
    const times = rows.filter(isPacket).map(({ time }) => time);
    expect(times.every((time) => /^\d+\.\d{9}$/.test(time))).toBe(true);
    expect(times.some((time) => !time.endsWith('000'))).toBe(true);
    expect(Math.abs(Number(times[0]) - Date.now() / 1000)).toBeLessThan(600);
  });
});

it('has each drop with --every, as many bytes as --snaplen says, and the length that the packet had', async () => {
  const file = join(scratch, 'every.pcapng');
  const trace = await startTrace([...here, '--every', '--snaplen', '44', '--out', file]);
  await source.drop(300);
  await trace.stop();

  const packets = dissect(file).filter(isPacket);
  expect(packets).toHaveLength(300);
  expect(new Set(packets.map(({ captured, length }) => `${captured} of ${length}`))).toEqual(
    new Set(['44 of 60']),
  );
});

it('is rotated into files that each open by themselves, with all drops in them', async () => {
  const file = join(scratch, 'rotated.pcapng');
  const rotation = ['--rotate-size', '64k', '--rotate-keep', '99'];
  const trace = await startTrace([...here, '--every', '--out', file, ...rotation]);
  await source.drop(1000);
  await trace.stop();

  const files = readdirSync(scratch).filter((name) => name.startsWith('rotated.pcapng'));
  const paths = files.map((name) => join(scratch, name));
  expect(files.length).toBeGreaterThan(3);
  expect(paths.filter((path) => statSync(path).size > 64 * 1024)).toEqual([]);
  expect(paths.flatMap(dissect).filter(isPacket)).toHaveLength(1000);
});

it('streams into a reader that is live, as wireshark -k -i - is', async () => {
  const pipe = join(scratch, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = spawn('tshark', ['-l', '-i', pipe, ...FIELDS], { stdio: ['ignore', 'pipe', 'ignore'] });
  const rows = new Rows(reader.stdout);
  const stdout = openSync(pipe, 'w');
  const trace = await startTrace(here, { stdout });
  closeSync(stdout);
  await source.drop(3);
  await rows.until((all) => all.filter(isPacket).reduce((sum, row) => sum + dropsOf(row), 0) === 3);
  await trace.stop();
  await new Promise((resolve) => reader.on('close', resolve));
  expect(rows.all.at(-1)?.info).toMatch(/^rpftrace ends: 3 drops/);
});

it('does not go to a terminal', async () => {
  const under = ['script', '-qec', `${program} trace -o pcapng`];
  const { code, stdout } = await rpftrace([], { under, program: '/dev/null' });
  expect(code).toBe(2);
  expect(stdout).toContain('-o pcapng is not for a terminal');
  expect(stdout).toContain('wireshark -k -i -');
});

interface Row {
  readonly time: string;
  readonly device: string;
  readonly description: string;
  readonly length: string;
  readonly captured: string;
  readonly src: string;
  readonly dst: string;
  readonly port: string;
  readonly comment: string;
  readonly info: string;
}

const NAMES = {
  time: 'frame.time_epoch',
  device: 'frame.interface_name',
  description: 'frame.interface_description',
  length: 'frame.len',
  captured: 'frame.cap_len',
  src: 'ip.src',
  dst: 'ip.dst',
  port: 'udp.dstport',
  comment: 'frame.comment',
  info: '_ws.col.Info',
} as const satisfies Record<keyof Row, string>;
const FIELDS = [
  '-T',
  'fields',
  '-E',
  'separator=/t',
  ...Object.values(NAMES).flatMap((name) => ['-e', name]),
];

function dissect(file: string): Row[] {
  const text = execFileSync('tshark', ['-r', file, ...FIELDS], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 26,
  });
  return text.split('\n').slice(0, -1).map(toRow);
}

function toRow(line: string): Row {
  const values = line.split('\t');
  return Object.fromEntries(
    Object.keys(NAMES).map((key, index) => [key, values[index] ?? '']),
  ) as unknown as Row;
}

function isPacket({ device }: Row): boolean {
  return device !== '';
}

function dropsOf({ comment }: Row): number {
  return Number(/^and (\d+) more/.exec(comment)?.[1] ?? 1);
}

/** Rows as they come. */
class Rows {
  all: Row[] = [];
  #text = '';
  #onRow: () => void = () => undefined;

  constructor(stream: NodeJS.ReadableStream) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      this.#text += text;
      this.all = this.#text.split('\n').slice(0, -1).map(toRow);
      this.#onRow();
    });
  }

  async until(satisfied: (rows: readonly Row[]) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRow = () => {
        if (satisfied(this.all)) resolve();
      };
      this.#onRow();
    });
  }
}
