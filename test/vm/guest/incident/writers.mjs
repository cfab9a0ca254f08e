import { type } from './command.mjs';
import { newPod } from './new-pod.mjs';
import {
  CONTAINER,
  container,
  dispatcherScript,
  HARDENING,
  networkFile,
  tunedProfile,
  withoutOverride,
} from './setups.mjs';

const ALL = 'net.ipv4.conf.all.rp_filter';
const ON_LXC = 'net.ipv4.conf.lxcabcd.rp_filter';
const HARDENED = `${HARDENING}:2`;

const BY_TUNED = {
  comm: 'tuned',
  unit: 'tuned.service',
  cmdline: /\/usr\/sbin\/tuned -l -P$/,
  setting: ALL,
  file: HARDENED,
};

/**
 * Who writes, in the order in which they are run: what is said before, what makes it write, and what rpftrace must say of it.
 * `file` is the line that the value came from, a text or its beginning; without `isRead` the writer got it on its command line. `newPod` makes a pod that
 * loses its packets. What `setUp` returns is called when the row is done.
 */
export const WRITERS = [
  {
    name: 'tuned',
    words: 'tuned is restarted, by hand',
    write: () => type('systemctl restart tuned'),
    expect: BY_TUNED,
  },
  {
    name: 'polkit',
    words: 'As in 2022: polkit gets an update, systemd restarts tuned with it, and nobody has touched tuned',
    write: () => type('dpkg -i /var/cache/apt/archives/polkitd_*.deb'),
    expect: BY_TUNED,
  },
  {
    name: 'sysctl --system',
    words: 'A nightly job applies all files of sysctl.d',
    write: () => type('systemd-run --quiet --wait --unit=nightly-hardening sysctl --quiet --system'),
    expect: {
      comm: 'sysctl',
      unit: 'nightly-hardening.service',
      cmdline: /sysctl --quiet --system$/,
      setting: ALL,
      file: HARDENED,
    },
  },
  {
    name: 'systemd-sysctl',
    words: 'systemd-sysctl is restarted: some packages do that when they are installed',
    write: () => type('systemctl restart systemd-sysctl'),
    expect: {
      comm: 'systemd-sysctl',
      unit: 'systemd-sysctl.service',
      cmdline: /systemd-sysctl$/,
      setting: ALL,
      file: HARDENED,
    },
  },
  {
    name: 'tuned profile',
    words: 'tuned gets a profile that has the setting itself, and sysctl.d has it no more',
    setUp: () => tunedProfile(`${ALL}=1`),
    write: () => type('tuned-adm profile hardened'),
    expect: { ...BY_TUNED, file: '/etc/tuned/profiles/hardened/tuned.conf:4' },
  },
  {
    name: 'udev',
    words:
      'Cilium without its override: udev runs systemd-sysctl for a new pod’s device, by Debian’s default',
    setUp: withoutOverride,
    newPod,
    expect: {
      comm: 'systemd-sysctl',
      unit: 'systemd-udevd.service',
      cmdline: /systemd-sysctl --prefix=\/?net\/ipv4\/conf\/lxc7d1a /,
      parent: '(udev-worker)',
      setting: 'net.ipv4.conf.lxc7d1a.rp_filter',
      new: '2',
      file: '/usr/lib/sysctl.d/50-default.conf:',
    },
  },
  {
    name: 'systemd-networkd',
    words: 'systemd-networkd has a file for the pod’s device',
    setUp: networkFile,
    write: () => type('systemctl start systemd-networkd'),
    expect: {
      comm: 'systemd-network',
      unit: 'systemd-networkd.service',
      cmdline: /systemd-networkd$/,
      setting: ON_LXC,
      file: '/etc/systemd/network/10-pods.network:6',
    },
  },
  {
    name: 'NetworkManager',
    words: 'NetworkManager runs a dispatcher script when a connection comes up',
    setUp: () => dispatcherScript(`${ALL}=1`),
    write: () => type('nmcli connection up office'),
    expect: {
      comm: 'sysctl',
      unit: 'NetworkManager-dispatcher.service',
      cmdline: /sysctl -q -w /,
      parent: '50-hardening',
      setting: ALL,
      file: '/etc/NetworkManager/dispatcher.d/50-hardening:2',
      isRead: false,
    },
  },
  {
    name: 'container',
    words: 'A privileged container with the host’s network and a /proc of its own',
    setUp: () => container(`${ALL}=1`),
    write: () => type('runc --systemd-cgroup run --bundle /run/hardener hardener'),
    expect: { comm: 'sysctl', container: CONTAINER, cmdline: /sysctl -w /, setting: ALL },
  },
  {
    name: 'own /proc',
    words: 'A process in a PID namespace and with a /proc of its own',
    write: () =>
      type(`unshare --pid --fork --mount-proc sh -c 'echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; :'`),
    expect: { comm: 'sh', unit: 'vm-command.service', cmdline: /^sh -c echo 1 > /, setting: ALL },
  },
  {
    name: 'netlink',
    words: 'A program sets it by netlink (IFLA_INET_CONF): no file below /proc/sys is written',
    write: () => type('python3 /opt/rpftrace/package/test/kernel/support/set_inet_conf.py lxcabcd 1'),
    expect: { unknown: /netlink/, setting: ON_LXC },
  },
];
