import { readFileSync } from 'node:fs';
import { quietly } from './command.mjs';

/** TcpExt IPReversePathFilter of this network namespace: what the kernel counts itself. */
export function refused() {
  const [names, values] = readFileSync('/proc/self/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('IPReversePathFilter')]);
}

/** "Debian GNU/Linux 13 (trixie), Linux 6.12.117+deb13-amd64, systemd 257.13-1, ..." */
export async function describeMachine() {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const names = 'systemd tuned polkitd network-manager';
  const packages = await quietly(`dpkg-query --show --showformat='\${Package} \${Version}, ' ${names}`);
  return `${system}, Linux ${await quietly('uname -r')}, ${packages.replace(/, ?$/, '')}`;
}

export async function compilers() {
  return await quietly('command -v cc gcc g++ clang make || true');
}

/** Seconds since it was switched on. */
export function uptime() {
  return Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]));
}
