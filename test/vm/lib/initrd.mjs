import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Writes the first file system of a guest: busybox, our guest/init, and the modules that are needed to mount the root. */
export function writeInitrd(file, { boot, busybox }) {
  const modules = readdirSync(boot).sort();
  const entries = [
    ...['bin', 'm', 'dev', 'proc', 'ro', 'rw', 'new'].map((name) => entry(name, DIRECTORY)),
    entry('init', PROGRAM, readFileSync(fileURLToPath(new URL('../guest/init', import.meta.url)))),
    entry('bin/busybox', PROGRAM, readFileSync(busybox)),
    ...modules.map((name) => entry(`m/${name}`, PLAIN, readFileSync(join(boot, name)))),
    entry('TRAILER!!!', 0),
  ];
  writeFileSync(file, Buffer.concat(entries));
}

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const PLAIN = 0o100644;

let inode = 0;

/** One file of a cpio archive in the format "newc", Documentation/driver-api/early-userspace/buffer-format.rst. */
function entry(name, mode, data = Buffer.alloc(0)) {
  const links = mode === DIRECTORY ? 2 : 1;
  const fields = [++inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([padded(Buffer.from(header)), padded(data)]);
}

function padded(bytes) {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
