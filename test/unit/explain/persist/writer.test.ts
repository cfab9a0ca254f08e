import { describe, expect, it } from 'vitest';
import type { Writer } from '../../../../src/events.js';
import { findSource } from '../../../../src/explain/persist.js';
import { ALL, LXC, useRoot } from './root.js';

const root = useRoot();

describe('the line that a writer read', () => {
  it.each([
    ['sysctl -p', '/etc/sysctl.conf'],
    ['sysctl -q -p /opt/x.conf', '/opt/x.conf'],
    ['/usr/sbin/sysctl -p/opt/x.conf', '/opt/x.conf'],
    ['sysctl --load=/opt/x.conf', '/opt/x.conf'],
    ['sysctl -f /nowhere.conf /opt/x.conf', '/opt/x.conf'],
    ['sysctl --system', '/etc/sysctl.conf'],
    ['/usr/lib/systemd/systemd-sysctl', '/usr/lib/sysctl.d/50-default.conf'],
    [
      '/usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf/all 50-default.conf',
      '/usr/lib/sysctl.d/50-default.conf',
    ],
    ['/usr/lib/systemd/systemd-sysctl /opt/x.conf', '/opt/x.conf'],
    // As the kernel has it when it has simplified its paths; two spaces are an empty word.
    ['/usr/lib/systemd/systemd-sysctl --prefix=net/ipv4/conf/lxcabcd  ', '/usr/lib/sysctl.d/50-default.conf'],
    ['/usr/bin/python3 -Es /usr/sbin/tuned -l -P', '/etc/tuned/node/tuned.conf'],
    ['sysctl -w net.ipv4.conf.all.rp_filter=1', undefined],
    ['sysctl -p x.conf', undefined],
    ['sh -c x', undefined],
  ])('of %s is in %s', (cmdline, file) => {
    root.write('etc/sysctl.conf', `${ALL} = 1\n`);
    root.write('opt/x.conf', `${ALL} = 1\n`);
    root.write('usr/lib/sysctl.d/50-default.conf', `${ALL} = 1\n`);
    root.write('etc/sysctl.d/60-late.conf', `${ALL} = 2\n`);
    root.write('etc/tuned/active_profile', 'node\n');
    root.write('etc/tuned/tuned-main.conf', 'reapply_sysctl = 0\n');
    root.write('etc/tuned/node/tuned.conf', `[sysctl]\n${ALL}=1\n`);
    expect(source(cmdline)?.file).toBe(file);
  });

  it('gives the value that was written', () => {
    root.write('etc/sysctl.conf', `${ALL} = 2\n`);
    expect(source('sysctl -p')).toBeUndefined();
    root.write('etc/sysctl.conf', `${ALL} = 2\nnet.ipv4.conf.*.rp_filter=1\n`);
    expect(source('sysctl -p')).toMatchObject({ line: 2, value: '1', by: 'sysctl' });
  });

  it('of tuned may be one of those that it applies once more', () => {
    root.write('etc/tuned/active_profile', 'node\n');
    root.write('etc/tuned/node/tuned.conf', '[sysctl]\nvm.swappiness=1\n');
    root.write('etc/sysctl.d/50-hardening.conf', `${ALL} = 1\n`);
    expect(source('x', { comm: 'tuned' })).toMatchObject({
      file: '/etc/sysctl.d/50-hardening.conf',
      by: 'tuned',
    });
  });

  it('of networkd is the one of the device', () => {
    root.write(
      'etc/systemd/network/1.network',
      '[Match]\nName=lxc*\n[Network]\nIPv4ReversePathFilter=strict\n',
    );
    const writer = { comm: 'systemd-network', exe: '/usr/lib/systemd/systemd-networkd' };
    expect(source('/usr/lib/systemd/systemd-networkd', writer, LXC)).toMatchObject({
      line: 4,
      by: 'networkd',
    });
    expect(source('/usr/lib/systemd/systemd-networkd', writer, ALL)).toBeUndefined();
  });

  it('of a container is not looked for among our own', () => {
    root.write('etc/sysctl.conf', `${ALL} = 1\n`);
    expect(source('sysctl -p', { container_id: 'ab' })).toBeUndefined();
  });
});

/** Of a writer that set 1. */
function source(cmdline: string, given: Partial<Writer> = {}, key = ALL): ReturnType<typeof findSource> {
  const writer = { pid: 1, comm: 'x', cmdline: cmdline.split(' '), parents: [], uid: 0, netns: 1, ...given };
  return findSource(writer, key, 1, root.path);
}
