import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { protoJsonErrors } from '../support/proto-json.js';
import { DropSource } from './support/drops.js';
import { startTrace } from './support/program.js';

const source = new DropSource();
const PROTO = join(import.meta.dirname, '../support/hubble.proto');

afterAll(() => source.remove());

it('-o hubble has each drop, in lines that the proto file allows and Hubble’s scanner takes', async () => {
  const trace = await startTrace(['--netns', source.path, '-o', 'hubble']);
  await source.drop(500, { flows: 3 });
  const { stdout, code } = await trace.stop();
  expect(code).toBe(0);

  const lines = stdout.split('\n').slice(0, -1);
  expect(protoJsonErrors(PROTO, 'observer.GetFlowsResponse', lines)).toBe('');
  expect(Math.max(...lines.map((line) => Buffer.byteLength(line)))).toBeLessThan(65_536);
  const flows = lines.map((line) => JSON.parse(line).flow);
  expect(flows.reduce((sum, { aggregate }) => sum + (aggregate?.unknown_direction_flow_count ?? 1), 0)).toBe(
    500,
  );
  for (const flow of flows) {
    expect(flow).toMatchObject({
      verdict: 'DROPPED',
      IP: { source: '203.0.113.9', destination: '192.0.2.1', ipVersion: 'IPv4' },
      l4: { UDP: { destination_port: 9 } },
      drop_reason_desc: 'FIB_LOOKUP_FAILED',
      interface: { name: 'dropin' },
    });
    expect(flow.Summary).toContain('no_reverse_route: 203.0.113.9 arrived on dropin');
  }
});
