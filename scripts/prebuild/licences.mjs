import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from '../lib/command.mjs';
import { heading } from '../lib/third-party.mjs';

/** What the addon has inside or beside it. Where it was compiled its copyright lies with it, else with Debian's package; below `base`. */
const LINKED = [
  {
    name: 'libbpf',
    how: 'inside of rpftrace.node; its source is Debian 13’s',
    file: 'libraries/x64/licences/libbpf',
  },
  {
    name: 'libpcap',
    how: 'inside of rpftrace.node; its source is Debian 13’s',
    file: 'libraries/x64/licences/libpcap',
  },
  {
    name: 'libstdc++ and libgcc',
    how: 'inside of rpftrace.node',
    file: 'usr/share/doc/gcc-10-base/copyright',
  },
  {
    name: 'node-addon-api',
    how: 'inside of rpftrace.node',
    file: join(root, 'node_modules/node-addon-api/LICENSE.md'),
  },
  { name: 'elfutils', how: 'libelf.so.1, as Debian 11 built it', file: 'usr/share/doc/libelf1/copyright' },
  { name: 'zlib', how: 'libz.so.1, as Debian 11 built it', file: 'usr/share/doc/zlib1g/copyright' },
  { name: 'libmnl', how: 'libmnl.so.0, as Debian 11 built it', file: 'usr/share/doc/libmnl0/copyright' },
];

/** Licences that those texts only point to. */
const COMMON = ['LGPL-2.1', 'LGPL-3', 'GPL-2', 'GPL-3'];

/** Writes one file with the copyright and licence of all that is not ours in the binaries. Throws where one is missing. */
export function collectLicences(base, target) {
  const parts = LINKED.map(
    ({ name, how, file }) => `${heading(`${name}: ${how}`)}${readFileSync(resolve(base, file), 'utf8')}`,
  );
  const texts = COMMON.map(
    (name) => `${heading(name)}${readFileSync(join(base, 'usr/share/common-licenses', name), 'utf8')}`,
  );
  writeFileSync(target, [INTRODUCTION, ...parts, ...texts].join('\n'));
}

const INTRODUCTION = `The binaries of rpftrace contain, or bring along, the work of others. Below stand its copyrights and licences, as Debian has collected
them, and the licences that they refer to. The libraries under the LGPL are shared objects of their own (libelf, libmnl) that can
be replaced, or can be chosen under another licence (libbpf: BSD-2-Clause). All sources are in Debian's archive; npm run prebuilds
builds the binaries from them.
`;
