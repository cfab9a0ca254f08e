import { describe, expect, test, vi } from 'vitest';
import { main } from '../../../src/cli/program.js';

describe('the command line', () => {
  test.each([
    ['--help', 0, 'stream drops (default command)'],
    ['trace --help', 0, '--rpf-only'],
    ['help', 0, 'stream drops (default command)'],
    ['help trace', 0, '--rpf-only'],
    ['help lab', 0, 'rpftrace lab'],
    ['help lab run', 0, '--count'],
    ['lab help drop', 0, 'Cases:'],
    ['--version', 0, /^\d+\.\d+\.\d+/],
  ])('rpftrace %s', async (line, exitCode, text) => {
    const { code, out } = await run(line.split(' '));
    expect(code).toBe(exitCode);
    expect(out).toMatch(text);
  });

  test.each([
    [['--durration', '1s'], "unknown option '--durration'; did you mean --duration?"],
    [['--count', '0'], "'0' is invalid. It is a whole number from 1 on."],
    [['--duration', 'soon'], 'It is a time like 500ms, 10s, 2m or 1h.'],
    [['--rotate-size', 'big'], 'It is a size like 4096, 64k, 100M or 1G.'],
    [['--snaplen', '4096'], 'It is a whole number from 0 to 2048.'],
    [['-o', 'xml'], 'Allowed choices are table, ndjson, pcapng, hubble.'],
    [['help', 'foo'], 'rpftrace has no command foo'],
    [['help', 'tarce'], 'rpftrace has no command tarce; did you mean trace?'],
    [['help', 'lab', 'rum'], 'lab has no command rum; did you mean run'],
    [['lab', 'help', 'foo'], 'lab has no command foo'],
    [['--count'], 'argument missing'],
    [['--rotate-size', '1M'], '--rotate-size needs --out FILE'],
    [['--rotate-keep', '2', '--out', '/dev/null'], '--rotate-keep needs --rotate-size SIZE'],
  ])('%j is wrong usage', async (args, text) => {
    const { code, out, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toContain(text);
    expect(err).toMatch(/^rpftrace: .*\[E_USAGE\]\nWhat to do:\n {2}1\. run: rpftrace --help\n$/s);
    expect(out).toBe('');
  });

  test('the schema is the only thing on standard output', async () => {
    const { code, out, err } = await run(['schema']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
    expect(err).toBe('');
  });
});

/** Runs the program in this process. What is wrong with its usage shows before it touches the kernel. */
async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const out = record(process.stdout);
  const err = record(process.stderr);
  const code = await main(['node', 'rpftrace', ...args]).finally(() => vi.restoreAllMocks());
  return { code, out: out.join(''), err: err.join('') };
}

function record(stream: NodeJS.WriteStream): string[] {
  const written: string[] = [];
  vi.spyOn(stream, 'write').mockImplementation((text, ...rest) => {
    written.push(String(text));
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  });
  return written;
}
