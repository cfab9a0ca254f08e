import { describe, expect, it } from 'vitest';
import type { DropEvent } from '../../src/events.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { attempt } from '../../src/lab/process.js';
import { withSteps } from '../../src/lab/provoke.js';
import { SENDER, senderArguments } from '../../src/lab/sender.js';
import { JUMBO_FRAMES, rpFilter, type Step, TC_DROPS_ALL } from '../../src/lab/steps.js';
import { ADDRESS, ADDRESS6 } from '../../src/lab/topology.js';
import { inLab, locate, runTrace, useLab } from './support/lab.js';

const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world, length: 100 };
const STRICT = [rpFilter(1)];
const ETHERNET = 14;

describe('--snaplen gives the bytes that were sent', () => {
  const lab = useLab();

  const packets: readonly [string, LabPacket, readonly Step[]][] = [
    ['of UDP', UDP, STRICT],
    ['of TCP', { ...UDP, kind: 'tcp' }, STRICT],
    ['of ICMP', { ...UDP, kind: 'icmp' }, STRICT],
    ['of IPv6', { ...UDP, src: ADDRESS6.pod, dst: ADDRESS6.world }, [TC_DROPS_ALL]],
    ['of ARP', { from: 'pod', kind: 'arp', src: ADDRESS.pod, dst: ADDRESS.ciliumHost }, [TC_DROPS_ALL]],
    ['of a packet that ends in its headers', { ...UDP, truncate: 24 }, [TC_DROPS_ALL]],
    ['of a packet without an IP header', { ...UDP, truncate: 5 }, [TC_DROPS_ALL]],
  ];

  it.for(packets)('%s', async ([, packet, steps]) => {
    const { frame, drop } = await snap(packet, steps, 256);

    expect(drop).toMatchObject({ packet_bytes_from: 'mac' });
    expect(bytesOf(drop)).toEqual(frame);
  });

  it.each([1, ETHERNET, 20, 60, 142])('and no more than %i', async (snaplen) => {
    const { frame, drop } = await snap(UDP, STRICT, snaplen);

    expect(bytesOf(drop)).toEqual(frame.subarray(0, snaplen));
    expect(drop.packet_bytes_cut).toBeUndefined();
  });

  it('and says so where the rest lies outside of the linear data', async () => {
    const packet = { ...UDP, kind: 'icmp', length: 6000, linear: 1 } as const;
    const { frame, drop } = await snap(packet, [...STRICT, ...JUMBO_FRAMES], 256);

    const bytes = bytesOf(drop);
    expect(drop).toMatchObject({ packet_bytes_cut: 'nonlinear', packet: { nonlinear: true } });
    expect(bytes.length).toBeLessThan(256);
    expect(bytes).toEqual(frame.subarray(0, bytes.length));
  });

  it('of each drop with --every', async () => {
    const { drops } = await trace(UDP, STRICT, ['--every', '--snaplen', '64'], 5);

    expect(drops.map((drop) => bytesOf(drop).length)).toEqual([64, 64, 64, 64, 64]);
  });

  it('only where it is asked for', async () => {
    const { drops } = await trace(UDP, STRICT, [], 2);

    expect(drops.filter((drop) => drop.packet_bytes !== undefined)).toEqual([]);
  });

  async function snap(
    packet: LabPacket,
    steps: readonly Step[],
    snaplen: number,
  ): Promise<{ frame: Buffer; drop: DropEvent }> {
    const { frame, drops } = await trace(packet, steps, ['--snaplen', String(snaplen)], 1);
    expect(drops).toHaveLength(1);
    return { frame, drop: drops[0] as DropEvent };
  }

  /** The drops of a packet on the pod's device, and the frame as it was sent. */
  async function trace(
    packet: LabPacket,
    steps: readonly Step[],
    args: readonly string[],
    count: number,
  ): Promise<{ frame: Buffer; drops: DropEvent[] }> {
    const traced = await withSteps(lab, steps, () =>
      runTrace([...inLab(lab, ['node']), ...args], () =>
        attempt(SENDER, [...senderArguments(lab, packet, { count }), '--print-frame']),
      ),
    );
    const { code, stderr } = traced.result;
    expect(code).toBe(0);
    const frame = Buffer.from(stderr.replace('frame ', '').trim(), 'hex');
    return { frame, drops: locate(lab, traced.drops).map(({ event }) => event) };
  }
});

function bytesOf({ packet_bytes = '' }: DropEvent): Buffer {
  return Buffer.from(packet_bytes, 'base64');
}
