import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DropEvent, TraceEvent } from '../../../../src/events.js';
import { HubbleSink } from '../../../../src/sink/hubble/hubble.js';
import { Output } from '../../../../src/sink/output.js';
import { VERSION } from '../../../../src/version.js';
import { temporaryDirectory } from '../../../fixtures/directory.js';
import { dropEventOf, UDP_PACKET } from '../../../fixtures/event.js';
import { protoJsonErrors } from '../../../support/proto-json.js';

const PROTO = join(import.meta.dirname, '../../../support/hubble.proto');

describe('HubbleSink', () => {
  test('writes a drop as Hubble reads it', async () => {
    const [line] = await hubble([
      dropEventOf({
        count: 1,
        packet: { ...UDP_PACKET, protocol: 'tcp', tcp_flags: 'SA' },
        pod: {
          ...{ namespace: 'shop', name: 'db-0', direction: 'from_pod', source: 'cilium' },
          ...{ labels: { app: 'db' }, workload: { kind: 'StatefulSet', name: 'db' } },
        },
        peer: { ip: '10.96.0.1', kind: 'service', namespace: 'default', name: 'kubernetes' },
        cilium: { endpoint_id: 1234, identity: 4711 },
        rpf: { verdict: 'unnumbered_mismatch', explanation: 'because' },
      }),
    ]);
    expect(line).toEqual({
      flow: {
        time: '2026-11-22T22:07:02.067380541Z',
        emitter: { name: 'rpftrace', version: VERSION },
        verdict: 'DROPPED',
        drop_reason: 169,
        IP: { source: '10.0.0.1', destination: '10.0.0.2', ipVersion: 'IPv4' },
        l4: { TCP: { source_port: 1, destination_port: 53, flags: { SYN: true, ACK: true } } },
        source: {
          ...{ ID: 1234, identity: 4711, namespace: 'shop', labels: ['k8s:app=db'], pod_name: 'db-0' },
          workloads: [{ kind: 'StatefulSet', name: 'db' }],
        },
        Type: 'L3_L4',
        node_name: 'n',
        event_type: { type: 1, sub_type: 169 },
        destination_service: { name: 'kubernetes', namespace: 'default' },
        traffic_direction: 'EGRESS',
        drop_reason_desc: 'FIB_LOOKUP_FAILED',
        interface: { index: 12, name: 'lxcabcd' },
        Summary: 'IP_RPFILTER at ip_rcv_finish_core+0x25b; unnumbered_mismatch: because',
      },
      node_name: 'n',
      time: '2026-11-22T22:07:02.067380541Z',
    });
  });

  test('keeps what Hubble has no reason for out of its reasons, and tells it in words', async () => {
    const [{ flow }] = await hubble([dropEventOf({ reason: 'NO_SOCKET', rpf: undefined })]);
    expect(flow).not.toHaveProperty('drop_reason_desc');
    expect(flow.event_type).toEqual({ type: 1, sub_type: 255 });
    expect(flow.Summary).toBe('NO_SOCKET at ip_rcv_finish_core+0x25b');
  });

  test('says how many drops it stands for, and in which direction', async () => {
    const counted = { aggregate: 'flow', count: 41, first_time: '2026-11-22T22:07:01.000000000Z' } as const;
    const pod = { namespace: 'shop', name: 'db-0', source: 'cri' } as const;
    const lines = await hubble([
      dropEventOf(counted),
      dropEventOf({ ...counted, pod: { ...pod, direction: 'from_pod' } }),
      dropEventOf({ ...counted, pod: { ...pod, direction: 'to_pod' } }),
    ]);
    expect(lines.map(({ flow }) => flow.aggregate)).toEqual([
      { unknown_direction_flow_count: 41 },
      { egress_flow_count: 41 },
      { ingress_flow_count: 41 },
    ]);
    expect(lines[2]?.flow.destination).toEqual({ namespace: 'shop', pod_name: 'db-0' });
    expect(lines[0]?.flow.Summary).toMatch(/^41 drops: /);
  });

  test('tells losses of drops where they happened, and nothing that Hubble has no words for', async () => {
    const lost = { v: 1, kind: 'lost', time: '2026-11-22T22:07:03.000000000Z', node: 'n' } as const;
    const lines = await hubble([
      dropEventOf({}),
      { ...lost, where: 'ring', count: 42 },
      { ...lost, where: 'recursion', count: 1 },
      { ...lost, where: 'sysctl', count: 7 },
    ]);
    expect(lines.slice(1)).toEqual([
      {
        lost_events: { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: '42' },
        ...{ node_name: 'n', time: lost.time },
      },
      { lost_events: { num_events_lost: '1' }, node_name: 'n', time: lost.time },
    ]);
  });

  test.each<[string, Partial<DropEvent>]>([
    ['no packet', { packet: undefined, aggregate: 'device' }],
    ['no device', { device: { name_unknown: 'no_device', role: 'unknown' } }],
    ['no headers', { packet: { headers_unknown: 'absent', length: 9, mark: 0 } }],
    ['another protocol', { packet: { ...UDP_PACKET, protocol: 'gre' } }],
    ['SCTP', { packet: { ...UDP_PACKET, protocol: 'sctp' } }],
    ['ICMP', { packet: { ...UDP_PACKET, protocol: 'icmp', icmp_type: 8, icmp_code: 0 } }],
    ['IPv6', { packet: { ...UDP_PACKET, family: 'ipv6', src: 'fd00::1', dst: 'fd00::2' } }],
    ['a source that is refused itself', { rpf: { verdict: 'local_source' } }],
    ['a peer that is a pod', { peer: { ip: '10.0.0.2', kind: 'pod', namespace: 'a', name: 'b' } }],
    ['a name that is no text for a terminal', { device: { name: '\x1b[31m', role: 'veth' } }],
  ])('a drop with %s is still what the proto file allows', async (_what, members) => {
    await hubble([dropEventOf(members)]);
  });

  test('lines stay below 64 KiB: labels go first', async () => {
    const labels = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`l${at}`, 'ä'.repeat(60)]));
    const pod = { namespace: 'shop', name: 'db-0', source: 'kubernetes', labels } as const;
    const [{ flow }] = await hubble([dropEventOf({ pod })]);
    expect(flow.destination).toEqual({ namespace: 'shop', pod_name: 'db-0' });
  });
});

/** What was written, each line held against the proto file. */
async function hubble(events: readonly TraceEvent[]) {
  const file = join(temporaryDirectory(), 'flows.json');
  const sink = new HubbleSink(new Output({ file }));
  for (const event of events) sink.event(event);
  await sink.end();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(protoJsonErrors(PROTO, 'observer.GetFlowsResponse', lines)).toBe('');
  return lines.map((line) => JSON.parse(line));
}
