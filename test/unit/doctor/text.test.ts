import { describe, expect, it } from 'vitest';
import { auditNode } from '../../../src/doctor/node.js';
import type { Report } from '../../../src/doctor/report.js';
import { formatReport } from '../../../src/doctor/text.js';
import type { NativeSurvey } from '../../../src/native.js';
import { addonOf, incident } from './machine.js';

describe('the report for people', () => {
  it('begins with what is wrong, and tells what pods share once', () => {
    const text = formatReport(reportOf(incident({ rpFilter: 1 })), { color: false, all: false });
    expect(text).toMatchInlineSnapshot(`
      "node-1, Linux 6.12.0: packets of 1 of 1 pod would be dropped now

      WOULD BE DROPPED NOW
        lxcabcd (cilium_lxc)  10.244.3.136  to outside, node, cilium_host: unnumbered_mismatch
          why        10.244.3.136 would arrive on lxcabcd, but the route back to it leaves by cilium_host; all.rp_filter=1 makes the check binding, and lxcabcd has no IPv4 address, so loose mode (2) would drop it too
          fix        sysctl -w net.ipv4.conf.all.rp_filter=0
          or         ip route replace 10.244.3.136/32 dev lxcabcd
          run it     in network namespace 100, for which neither a name nor a process was found here

      THIS MACHINE
        rpftrace trace can run: it was loaded, attached and taken away
        no cgroup/sysctl: attaching it: operation not permitted
          costs: no writer
        available  ringbuf
      "
    `);
  });

  it('of many pods in the same trouble shows some, and no command that helps one of them only', () => {
    const { pods, ...rest } = reportOf(incident({ rpFilter: 1 }));
    const many = Array.from({ length: 300 }, (_, index) => ({
      ...(pods[0] as Report['pods'][number]),
      device: `lxc${index}`,
      passages: pods[0]?.passages.map((passage) => ({
        ...passage,
        fix: ['sysctl -w all', `ip route replace 10.0.0.${index}`],
      })) as Report['pods'][number]['passages'],
    }));
    const text = formatReport(
      { ...rest, pods: many, pods_found: 300, pods_dropped: 300 },
      { color: false, all: false },
    );
    expect(text).toContain('and 292 more for the same reason');
    expect(text).toContain('sysctl -w all');
    expect(text).not.toContain('ip route replace');
    expect(text.split('\n').length).toBeLessThan(30);
  });

  it('tells sources that are not there in one line, and with --all why', () => {
    const sources: Report['sources'] = [
      { name: 'cri', state: 'ok', pods: 1, at: '/run/c.sock' },
      { name: 'cilium', state: 'absent', why: 'no socket' },
      { name: 'kubernetes', state: 'off' },
    ];
    const report = { ...reportOf(incident()), sources };
    const text = formatReport(report, { color: false, all: false });
    expect(text).toContain(
      '  cri  ok  1 pod  /run/c.sock\n  not on this machine, or switched off: cilium, kubernetes\n',
    );
    expect(formatReport(report, { color: false, all: true })).toMatch(/^ {2}cilium +absent +no socket$/m);
  });

  it('lets no name reach a terminal as it is', () => {
    const { pods, ...rest } = reportOf(incident({ rpFilter: 1 }));
    const evil = '\x1b]0;x\x07';
    const text = formatReport(
      {
        ...rest,
        node: evil,
        kernel: evil,
        pods: pods.map((pod) => ({ ...pod, device: evil, name: evil, namespace: evil, unknown: evil })),
        later: [
          {
            when: 'sysctl_run',
            netns: 1,
            key: evil,
            value: evil,
            devices: [evil],
            devices_count: 1,
            explanation: evil,
            fix: [evil],
          },
        ],
        sources: [{ name: evil, state: 'ok', at: evil, why: evil }],
        tracer: { can_run: false, code: 'E_X', why: evil, remedies: [evil] },
        features: [{ name: evil, state: 'partial', why: evil, cost: evil }],
      },
      { color: false, all: true },
    );
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });
});

function reportOf(surveys: NativeSurvey[]): Report {
  const addon = addonOf(surveys);
  const { pods } = auditNode({ addon, root: '/nowhere/' }, surveys);
  return {
    v: 1,
    kind: 'doctor',
    time: '2026-11-22T09:49:05.000Z',
    node: 'node-1',
    version: '0.1.0',
    kernel: '6.12.0',
    exit_code: 4,
    tracer: { can_run: true },
    features: [
      { name: 'ringbuf', state: 'available' },
      {
        name: 'cgroup/sysctl',
        state: 'unavailable',
        why: 'attaching it: operation not permitted',
        cost: 'no writer',
      },
    ],
    capabilities: [{ name: 'CAP_BPF', held: true, used_for: 'loading', without: 'nothing' }],
    environment: [{ name: 'lockdown', value: 'none' }],
    namespaces: { found: 2, entered: 2, refused: [] },
    pods_found: pods.length,
    pods_dropped: pods.length,
    pods_unknown: 0,
    pods,
    later: [],
    sources: [],
    elapsed_ms: 1,
  };
}
