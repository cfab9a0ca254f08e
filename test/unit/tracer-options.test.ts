import { describe, expect, test } from 'vitest';
import { openTracer } from '../../src/index.js';
import { checkTracerOptions } from '../../src/tracer-options.js';

describe('openTracer', () => {
  test.each([
    [{ snaplen: -1 }, 'option snaplen is -1', 'a whole number from 0 to 2048'],
    [{ snaplen: 2049 }, 'option snaplen is 2049', '2048'],
    [{ snaplen: 1.5 }, 'option snaplen is 1.5', 'whole number'],
    [{ intervalMs: 'x' }, "option intervalMs is 'x'", 'milliseconds from 10 to 3600000'],
    [{ intervalMs: Number.NaN }, 'option intervalMs is NaN', 'milliseconds'],
    [{ reasons: 'IP_RPFILTER' }, "option reasons is 'IP_RPFILTER'", 'an array of names'],
    [{ devices: [5] }, 'option devices is [ 5 ]', 'an array of names'],
    [{ netns: [{}] }, 'option netns is [ {} ]', 'inode numbers'],
    [{ netns: [-1] }, 'option netns is [ -1 ]', 'inode numbers'],
    [{ expression: 5 }, 'option expression is 5', 'pcap-filter(7)'],
    [{ every: 'yes' }, "option every is 'yes'", 'true or false'],
    [{ rpfOnly: 1 }, 'option rpfOnly is 1', 'true or false'],
    [{ node: 5 }, 'option node is 5', 'a name'],
    [{ node: '' }, "option node is ''", 'not empty'],
    [{ signal: new AbortController() }, 'option signal is AbortController', 'an AbortSignal'],
    [{ bogus: 1 }, 'openTracer has no option bogus', 'its options are reasons, rpfOnly'],
    [{ device: ['eth0'] }, 'no option device; did you mean devices?', 'its options are'],
    [{ 'a\x1b[2J': 1 }, 'no option a\\x1b[2J', 'its options are'],
    [null, 'its options are null', 'give an object'],
    ['eth0', "its options are 'eth0'", 'give an object'],
  ])('%o is wrong usage', async (options, message, remedy) => {
    const error = await openTracer(options as object).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'TracerError', code: 'E_USAGE' });
    expect(error.message).toContain(message);
    expect(error.remedies.join()).toContain(remedy);
  });

  test.each([
    {},
    { reasons: undefined, every: undefined, signal: undefined },
    {
      reasons: ['ip_rpfilter'],
      rpfOnly: true,
      devices: ['lxc*'],
      netns: ['blue', 4_026_531_840],
      expression: '',
      every: false,
      snaplen: 0,
      intervalMs: 10,
      node: 'node-1',
      signal: AbortSignal.abort(),
    },
  ])('%o is fine', (options) => {
    expect(() => checkTracerOptions(options)).not.toThrow();
  });
});
