import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPersisted, findPersistence, givenBy } from '../../../../src/explain/persist.js';
import { ALL, LXC, useRoot } from './root.js';

const root = useRoot();

describe('tuned', () => {
  const profile = (value: number) => root.write('etc/tuned/node/tuned.conf', `[sysctl]\n${ALL} = ${value}\n`);

  it('applies the files of the system after its profile: they win, unless it is told not to', () => {
    root.write('etc/tuned/active_profile', 'node\n');
    profile(1);
    root.write('etc/sysctl.d/50.conf', `${ALL} = 2\n`);
    expect(findPersisted([ALL], root.path)).toMatchObject([
      { file: '/etc/sysctl.d/50.conf', by: 'sysctl' },
      { file: '/etc/sysctl.d/50.conf', by: 'tuned', value: '2' },
    ]);
    root.write('etc/tuned/tuned-main.conf', 'reapply_sysctl = 0\n');
    expect(findPersisted([ALL], root.path)).toMatchObject([
      { by: 'sysctl', value: '2' },
      { file: '/etc/tuned/node/tuned.conf', line: 2, by: 'tuned', value: '1' },
    ]);
  });

  it('leaves alone what it has no sysctl section for, and has no use for patterns and for /usr/lib', () => {
    root.write('etc/sysctl.d/50.conf', `${ALL} = 2\n`);
    root.write('etc/tuned/active_profile', 'node\n');
    root.write('etc/tuned/node/tuned.conf', '[cpu]\ngovernor=performance\n');
    expect(findPersisted([ALL], root.path)).toMatchObject([{ by: 'sysctl' }]);
    root.write('etc/tuned/node/tuned.conf', '[mine]\ntype=sysctl\nvm.swappiness=1\n');
    root.write('etc/sysctl.d/50.conf', 'net.ipv4.conf.*.rp_filter = 2\n');
    root.write('usr/lib/sysctl.d/60.conf', `${LXC} = 2\n`);
    expect(findPersisted([ALL, LXC], root.path).map(({ by }) => by)).toEqual(['sysctl', 'sysctl']);
  });

  it('has its profiles in four folders, and those that are included come first', () => {
    root.write('etc/tuned/active_profile', 'node\n');
    root.write('usr/lib/tuned/node/tuned.conf', `[main]\ninclude=base, other\n[sysctl]\n${ALL}=0\n`);
    root.write('usr/lib/tuned/profiles/base/tuned.conf', `[sysctl]\n${ALL} = 1\n${LXC}=2\n`);
    expect(findPersisted([ALL, LXC], root.path)).toMatchObject([
      { file: '/usr/lib/tuned/node/tuned.conf', value: '0' },
      { file: '/usr/lib/tuned/profiles/base/tuned.conf', line: 3, value: '2' },
    ]);
  });
});

describe('systemd-networkd', () => {
  const network = (match: string, value?: string) =>
    `[Match]\n${match}\n\n[Network]\nDHCP=no\n${value ? `IPv4ReversePathFilter=${value}\n` : ''}`;

  it('sets it by the first file that matches the device, whatever folder that lies in', () => {
    root.write('usr/lib/systemd/network/20-late.network', network('Name=*', 'strict'));
    root.write('etc/systemd/network/50-later.network', network('Name=lxc*', 'loose'));
    const [line] = findPersisted([LXC], root.path);
    expect(line).toEqual({
      file: '/usr/lib/systemd/network/20-late.network',
      line: 6,
      key: 'IPv4ReversePathFilter',
      value: 'strict',
      by: 'networkd',
    });
    expect(line && givenBy(line)).toBe('1');
    root.write('etc/systemd/network/10-first.network', network('Name=eth* lxc*'));
    expect(findPersisted([LXC], root.path)).toEqual([]);
  });

  it('goes by drop-ins too, and not by files that others mask', () => {
    root.write('usr/lib/systemd/network/20.network', network('Name=lxc*', 'strict'));
    root.write('etc/systemd/network/20.network.d/10-off.conf', '[Network]\nIPv4ReversePathFilter=no\n');
    expect(findPersisted([LXC], root.path)).toMatchObject([
      { file: '/etc/systemd/network/20.network.d/10-off.conf', line: 2, value: 'no' },
    ]);
    root.write('etc/systemd/network/20.network', network('Name=eth*', 'strict'));
    expect(findPersisted([LXC], root.path)).toEqual([]);
  });

  it('does so for devices alone, by names that may be excluded, and by words that it knows', () => {
    root.write('etc/systemd/network/20.network', network('Name=!eth* wlan*', 'strict'));
    expect(findPersisted([ALL], root.path)).toEqual([]);
    expect(findPersisted([LXC], root.path)).toHaveLength(1);
    expect(findPersisted(['net.ipv4.conf.wlan0.rp_filter'], root.path)).toEqual([]);
    root.write('etc/systemd/network/20.network', network('Name=lxc*', 'yes'));
    expect(findPersisted([LXC], root.path)).toEqual([]);
  });

  it('is not guessed to where it matches by more than names', () => {
    root.write('etc/systemd/network/20.network', network('Type=ether', 'strict'));
    root.write('etc/systemd/network/30.network', network('Name=lxcabcd', 'loose'));
    const { lines, unknown } = findPersistence([LXC], root.path);
    expect(lines).toMatchObject([{ file: '/etc/systemd/network/30.network' }]);
    expect(unknown).toEqual(['/etc/systemd/network/20.network:6: it matches by more than names']);
  });
});

describe('NetworkManager', () => {
  it('runs dispatcher scripts, which may set it', () => {
    root.write(
      'etc/NetworkManager/dispatcher.d/10-x',
      '#!/bin/sh\n# sysctl net.ipv4.conf.all.rp_filter=2\n',
      0o755,
    );
    root.write(
      'etc/NetworkManager/dispatcher.d/20-x',
      `#!/bin/sh\n[ "$2" = up ] && sysctl -qw ${ALL}=1\n`,
      0o755,
    );
    root.write(
      'usr/lib/NetworkManager/dispatcher.d/pre-up.d/30-x',
      '#!/bin/sh\necho 2 > /proc/sys/net/ipv4/conf/all/rp_filter\n',
      0o755,
    );
    root.write('etc/NetworkManager/dispatcher.d/40-off', `sysctl -w ${ALL}=1\n`);
    expect(findPersisted([ALL], root.path)).toEqual([
      { file: '/etc/NetworkManager/dispatcher.d/20-x', line: 2, key: ALL, value: '1', by: 'networkmanager' },
      {
        file: '/usr/lib/NetworkManager/dispatcher.d/pre-up.d/30-x',
        line: 2,
        key: ALL,
        value: '2',
        by: 'networkmanager',
      },
    ]);
    expect(findPersisted([LXC], root.path)).toEqual([]);
  });
});

describe('Cilium', () => {
  it('brings a file along that protects its devices: it is told from others', () => {
    root.write('etc/sysctl.d/50-default.conf', 'net.ipv4.conf.*.rp_filter = 2\n');
    root.write('etc/sysctl.d/99-zzz-override_cilium.conf', 'net.ipv4.conf.lxc*.rp_filter = 0\n');
    expect(findPersisted([LXC, ALL], root.path)).toMatchObject([
      { by: 'cilium', value: '0' },
      { by: 'sysctl', value: '2' },
    ]);
  });
});

describe('what cannot be read', () => {
  it('is told, with why', () => {
    root.write('etc/sysctl.d/50-x.conf', `${ALL} = 1\n`);
    symlinkSync('60-circle.conf', join(root.path, 'etc/sysctl.d/60-circle.conf'));
    root.write('etc/sysctl.d/70-huge.conf', '#'.repeat((1 << 20) + 1));
    const { lines, unknown } = findPersistence([ALL], root.path);
    expect(lines).toMatchObject([{ file: '/etc/sysctl.d/50-x.conf' }]);
    expect(unknown).toEqual([
      '/etc/sysctl.d/60-circle.conf: its links lead in a circle',
      '/etc/sysctl.d/70-huge.conf: larger than 1048576 bytes',
    ]);
  });
});
