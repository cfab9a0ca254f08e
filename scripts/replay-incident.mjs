/**
 * Replays the incident that rpftrace is built around, in an emulated machine that boots systemd:
 *
 *     npm run replay-incident [-- WRITER...] [--no-prebuild] [--out DIR]
 *
 * Debian's own tuned and polkit put rp_filter back to 1 on a Cilium node; rpftrace, packed and installed from its package, must say who
 * it was, and its fix must help. Then other programs do the same. In the end
 * rpftrace serve runs as a service of that systemd. WRITER is a name in test/vm/guest/incident/writers.mjs, or `service`. DIR gets events.ndjson, all that rpftrace said. Ends with 0 only if all held. Needs root.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runInMachine } from '../test/vm/lib/machine.mjs';
import { installedImage } from '../test/vm/lib/package.mjs';
import { systemdImage } from '../test/vm/lib/root.mjs';
import { isRoot, main, must, root, run, Stop } from './lib/command.mjs';
import { installDebianPackages } from './lib/debian.mjs';

/** Debian 13 with its own kernel: systemd-networkd of older ones cannot set rp_filter. */
const RELEASE = 'trixie';
const KERNEL = '6.12';

/** Ten times what it takes. */
const MACHINE_MS = 1_800_000;

const { values: options, positionals: writers } = parseArgs({
  allowPositionals: true,
  options: {
    'no-prebuild': { type: 'boolean' },
    out: { type: 'string' },
  },
});

await main(async () => {
  if (!isRoot()) throw new Stop('replaying the incident needs root: it makes root file systems', 3);
  installDebianPackages(['build', 'package', 'vm']);
  say('Building the package, and a Debian with systemd, tuned and polkit: some minutes for the first time.');
  const image = await packImage();
  const system = await systemdImage(RELEASE, 'polkitd');
  say('Booting the machine: emulated, it takes half a minute.');
  const guest = 'test/vm/guest/incident';
  const { code, console: words } = await runInMachine({
    kernel: KERNEL,
    root: system,
    package: image,
    boots: 'systemd',
    prepare: `bash ${guest}/prepare`,
    command: `node ${guest}/main.mjs ${writers.map((name) => `'${name}'`).join(' ')}`,
    shares: options.out ? { '/share': options.out } : {},
    timeoutMs: MACHINE_MS,
    onStdout: (text) => process.stdout.write(text),
    onStderr: (text) => process.stderr.write(text),
  });
  if (code === undefined)
    throw new Stop(`the machine died or took too long; it said last:\n${words.slice(-3000)}`);
  process.exitCode = code;
});

async function packImage() {
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-replay-'));
  try {
    if (!options['no-prebuild']) {
      run(process.execPath, ['scripts/build.mjs']);
      run(process.execPath, ['scripts/prebuild.mjs', 'x64']);
    }
    const output = must('npm', ['pack', '--json', '--pack-destination', scratch], { cwd: root });
    return await installedImage(join(scratch, JSON.parse(output)[0].filename));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function say(words) {
  process.stderr.write(`# ${words}\n`);
}
