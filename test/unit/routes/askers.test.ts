import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';
import type { Writer } from '../../../src/events.js';
import { Askers } from '../../../src/routes/askers.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

const OWN = 4_026_531_840;

/** A procfs with some processes. */
class Procfs {
  readonly path = temporaryDirectory();
  nowMs = 0;
  /** By number and network namespace. */
  readonly executed = new Map<string, Writer>();

  add(
    pid: number,
    sockets: readonly { port: number; inode: number; own?: boolean }[] = [],
    parent = 0,
  ): this {
    const folder = `${this.path}/${pid}`;
    mkdirSync(`${folder}/net`, { recursive: true });
    mkdirSync(`${folder}/fd`);
    mkdirSync(`${folder}/ns`);
    writeFileSync(`${folder}/ns/net`, '');
    writeFileSync(`${folder}/comm`, 'bird\n');
    writeFileSync(`${folder}/cmdline`, 'bird\0-f\0');
    writeFileSync(`${folder}/status`, `Name:\tbird\nPPid:\t${parent}\nUid:\t5\t5\t5\t5\n`);
    writeFileSync(`${folder}/cgroup`, '0::/system.slice/bird.service\n');
    const lines = sockets.map(({ port, inode }) => `ffff 0   ${port} 00000011 0 0 0 2 0 ${inode}`);
    writeFileSync(
      `${folder}/net/netlink`,
      `sk Eth Pid ...\nffff 9   ${pid} 0 0 0 0 2 0 1\n${lines.join('\n')}\n`,
    );
    for (const { inode, own = true } of sockets)
      if (own) symlinkSync(`socket:[${inode}]`, `${folder}/fd/${inode}`);
    return this;
  }

  askers(): Askers {
    return new Askers({
      ownNetns: OWN,
      now: () => this.nowMs,
      executed: (number, netns) => this.executed.get(`${number} ${netns}`),
      proc: this.path,
    });
  }

  /** Inode number that stands for the network namespace of a process. */
  netns(pid: number): number {
    return statSync(`${this.path}/${pid}/ns/net`).ino;
  }
}

describe('who asked for a change of routes', () => {
  test('is the process that has the socket', () => {
    const procfs = new Procfs().add(1).add(812, [{ port: 812, inode: 77 }], 1);
    expect(procfs.askers().find(812, procfs.netns(812))).toEqual({
      by: 'socket',
      writer: {
        pid: 812,
        comm: 'bird',
        cmdline: ['bird', '-f'],
        parents: [{ pid: 1, comm: 'bird' }],
        uid: 5,
        cgroup: '/system.slice/bird.service',
        systemd_unit: 'bird.service',
        netns: procfs.netns(812),
      },
    });
  });

  test('is another process where the number is that of its socket by chance', () => {
    const procfs = new Procfs()
      .add(1, [{ port: 1, inode: 77, own: false }])
      .add(812, [{ port: 9, inode: 77 }]);
    expect(procfs.askers().find(1, procfs.netns(1))).toMatchObject({ by: 'socket', writer: { pid: 812 } });
  });

  test('is probably the process with that number where the socket is gone', () => {
    const procfs = new Procfs().add(812);
    expect(procfs.askers().find(812, procfs.netns(812))).toMatchObject({
      by: 'port_id',
      writer: { pid: 812 },
    });
  });

  test('is unknown where the process is gone, or in another network namespace', () => {
    const procfs = new Procfs().add(812);
    const gone = { why: expect.stringContaining('was gone when it was looked for') };
    expect(procfs.askers().find(813, 5)).toEqual(gone);
    expect(procfs.askers().find(812, 5)).toEqual(gone);
    expect(procfs.askers().find(4_000_000_000, 5)).toEqual({ why: expect.stringContaining('netlink port') });
  });

  test('is probably what was executed under that number, where the process is gone', () => {
    const procfs = new Procfs();
    const writer = { pid: 812, comm: 'ip', cmdline: ['ip', 'route', 'del'], parents: [], uid: 0, netns: 5 };
    procfs.executed.set('812 5', writer).set(`813 ${OWN}`, { ...writer, pid: 813, netns: OWN });
    expect(procfs.askers().find(812, 5)).toEqual({ by: 'port_id', writer });
    expect(procfs.askers().find(813, 5)).toMatchObject({ by: 'port_id', writer: { pid: 813 } });
    expect(procfs.askers().find(812, 6)).toHaveProperty('why');
  });

  test('is not looked for without end', () => {
    const procfs = new Procfs();
    const askers = procfs.askers();
    const found = Array.from({ length: 100 }, (_, port) => askers.find(port + 1, 5));
    expect(found.filter((asker) => 'why' in asker && asker.why.includes('too many'))).toHaveLength(80);
    procfs.nowMs = 1000;
    expect(askers.find(99, 5)).toMatchObject({ why: expect.stringContaining('was gone') });
  });
});
