import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { Stop } from '../../../scripts/lib/command.mjs';

/**
 * Takes the kernel itself out of a bzImage: QEMU starts it at its PVH entry, and the guest need not unpack it, which takes an
 * emulated CPU longer than all the rest of the boot. Offsets: Documentation/arch/x86/boot.rst.
 */
export function unpackKernel(bzImage, vmlinux) {
  const image = readFileSync(bzImage);
  const setupSectors = image.readUInt8(0x1f1);
  const start = (setupSectors + 1) * SECTOR + image.readUInt32LE(0x248);
  const bytes = image.readUInt32LE(0x24c);
  const packed = image.subarray(start, start + bytes - SIZE_BYTES);
  const packer = PACKERS.find(({ magic }) => packed.subarray(0, magic.length).equals(magic));
  if (!packer) throw new Stop(`${bzImage}: packed in a way that is not known here`);
  const { stdout, error } = spawnSync(packer.command, packer.args, { input: packed, maxBuffer: 512 << 20 });
  if (error || stdout.length === 0) throw new Stop(`${packer.command} cannot unpack ${bzImage}`);
  writeFileSync(vmlinux, stdout);
}

const SECTOR = 512;
/** The unpacked size stands behind the packed kernel. */
const SIZE_BYTES = 4;
const PACKERS = [
  { magic: Buffer.from([0xfd, 0x37]), command: 'xz', args: ['-dcq', '--single-stream'] },
  { magic: Buffer.from([0x28, 0xb5]), command: 'zstd', args: ['-dcq'] },
  { magic: Buffer.from([0x1f, 0x8b]), command: 'gzip', args: ['-dc'] },
];
