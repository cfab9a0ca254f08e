import { Stop } from '../../../scripts/lib/command.mjs';

/** What differs between the machines, by the name that Node has for their architecture. */
export const ARCHES = {
  x64: {
    debian: 'amd64',
    qemu: {
      command: 'qemu-system-x86_64',
      packages: ['qemu-system-x86', 'qemu-system-data', 'seabios'],
      group: 'vm',
    },
    machine: ['-M', 'pc,usb=off,vmport=off', '-cpu', 'max,la57=off'],
    console: ['-device', 'isa-serial,chardev=console'],
    parameters: 'console=ttyS0 tsc=reliable no_timer_check clocksource=tsc nmi_watchdog=0',
  },
  arm64: {
    debian: 'arm64',
    qemu: {
      command: 'qemu-system-aarch64',
      packages: ['qemu-system-arm', 'qemu-system-data'],
      group: 'vm-arm64',
    },
    // A real CPU of servers, and one without pointer authentication, which takes an emulator most of its time.
    machine: ['-M', 'virt,gic-version=3', '-cpu', 'neoverse-n1'],
    console: ['-serial', 'chardev:console'],
    parameters: 'console=ttyAMA0',
  },
};

/** Where something for an architecture is kept. What is for x86-64 needs no suffix. */
export function forArch(name, arch) {
  return arch === 'x64' ? name : `${name}-${arch}`;
}

/** The architecture, if it is one that machines are made for. */
export function requireArch(arch) {
  if (arch in ARCHES) return arch;
  throw new Stop(`--arch ${arch}: there are ${Object.keys(ARCHES).join(', ')}`, 2);
}
