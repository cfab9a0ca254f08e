import { SeverityNumber } from '@opentelemetry/api-logs';
import { describe, expect, test } from 'vitest';
import { hrTime, logRecordOf } from '../../../src/otlp/log-record.js';
import { dropEventOf } from '../../fixtures/event.js';

const TIME = '2026-11-22T22:07:02.067380541Z';

describe('logRecordOf', () => {
  test('names the pod that lost the packet, and the other end under names of our own', () => {
    const record = logRecordOf(
      dropEventOf({
        count: 41,
        pod: {
          ...{
            namespace: 'shop',
            name: 'db-0',
            uid: 'u',
            ip: '10.0.0.1',
            direction: 'from_pod',
            source: 'cri',
          },
          workload: { kind: 'StatefulSet', name: 'db' },
        },
        peer: { ip: '10.0.0.2', kind: 'service', namespace: 'default', name: 'kubernetes' },
        rpf: { verdict: 'unnumbered_mismatch', explanation: 'because', fix: ['a', 'b'] },
        incident: 'i-1',
      }),
    );
    expect(record).toEqual({
      eventName: 'linux.packet.drop',
      timestamp: [1795385222, 67380541],
      severityNumber: SeverityNumber.WARN,
      body: 'because',
      attributes: {
        ...{ 'linux.skb.drop_reason': 'IP_RPFILTER', 'rpftrace.drop.count': 41 },
        ...{ 'rpftrace.drop.location': 'ip_rcv_finish_core+0x25b', 'rpftrace.incident.id': 'i-1' },
        ...{ 'network.interface.name': 'lxcabcd', 'rpftrace.device.role': 'cilium_lxc' },
        ...{ 'rpftrace.device.netns': 7, 'network.type': 'ipv4', 'network.transport': 'udp' },
        ...{ 'source.address': '10.0.0.1', 'source.port': 1 },
        ...{ 'destination.address': '10.0.0.2', 'destination.port': 53 },
        ...{ 'k8s.namespace.name': 'shop', 'k8s.pod.name': 'db-0', 'k8s.pod.uid': 'u' },
        ...{ 'k8s.pod.ip': '10.0.0.1', 'k8s.statefulset.name': 'db' },
        'rpftrace.pod.direction': 'from_pod',
        ...{ 'rpftrace.peer.kind': 'service', 'rpftrace.peer.namespace': 'default' },
        'rpftrace.peer.name': 'kubernetes',
        ...{ 'rpftrace.rpf.verdict': 'unnumbered_mismatch', 'rpftrace.rpf.fix': ['a', 'b'] },
      },
    });
  });

  test('names who changed a setting as a process', () => {
    const record = logRecordOf({
      ...{ v: 1, kind: 'sysctl_change', time: TIME, node: 'n', netns: 7, seen_by: 'cgroup_sysctl' },
      ...{ name: 'net.ipv4.conf.all.rp_filter', device: 'all', setting: 'rp_filter', old: '0', new: '1' },
      outcome: 'changed',
      writer: {
        ...{ pid: 812, comm: 'tuned', exe: '/usr/sbin/tuned', cmdline: ['tuned', '-l'], parents: [] },
        ...{ netns: 7, uid: 0, systemd_unit: 'tuned.service' },
      },
    });
    expect(record.body).toContain('tuned');
    expect(record.attributes).toEqual({
      ...{ 'rpftrace.setting.name': 'net.ipv4.conf.all.rp_filter', 'rpftrace.setting.outcome': 'changed' },
      ...{ 'rpftrace.setting.old': '0', 'rpftrace.setting.new': '1', 'rpftrace.setting.netns': 7 },
      ...{
        'process.pid': 812,
        'process.executable.name': 'tuned',
        'process.executable.path': '/usr/sbin/tuned',
      },
      ...{ 'process.command_args': ['tuned', '-l'], 'rpftrace.process.systemd_unit': 'tuned.service' },
    });
  });

  test('a drop without a verdict is told by its reason', () => {
    expect(logRecordOf(dropEventOf({ reason: 'NO_SOCKET' })).body).toBe(
      'NO_SOCKET at ip_rcv_finish_core+0x25b',
    );
  });
});

test('times keep their nanoseconds', () => {
  expect(hrTime(TIME)).toEqual([1795385222, 67380541]);
});
