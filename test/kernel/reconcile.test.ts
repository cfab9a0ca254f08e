import { expect, it } from 'vitest';
import type { LabPacket } from '../../src/lab/packet.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { runTrace, withLab } from './support/lab.js';

const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };

/** Drops `count` packets in a lab of its own, and gives the inode number of the namespace where they died. */
async function dropInNewLab(count: number): Promise<number> {
  let node = 0;
  await withLab(async (lab) => {
    const { in: place, run } = rpFilter(1);
    await lab.inside(place, run);
    await send(lab, UDP, { count });
    node = lab.inode('node');
  });
  return node;
}

it('does not take a new network namespace for an old one that had its inode number', async () => {
  const { stop, result: nodes } = await runTrace([], async () => {
    const inodes: number[] = [];
    // The kernel gives the lowest free numbers: sooner or later a lab gets one that an earlier lab had.
    while (new Set(inodes).size === inodes.length && inodes.length < MOST_LABS) {
      inodes.push(await dropInNewLab(3 + inodes.length));
    }
    return inodes;
  });

  expect(new Set(nodes).size).toBeLessThan(nodes.length);
  const accounts = stop.netns.filter(({ netns }) => nodes.includes(netns));
  expect(accounts.map(({ traced }) => traced).sort((a, b) => a - b)).toEqual(nodes.map((_, i) => 3 + i));
  expect(accounts.every(({ reconciled }) => reconciled === null)).toBe(true);
});

/** A namespace that had drops is held for a second longer by those who listen to its routes. */
const MOST_LABS = 200;
