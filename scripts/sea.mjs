/**
 * Builds rpftrace as one file that needs no Node, to be copied to a node:  npm run sea -- [x64] [arm64]
 *
 * Without a name: for this machine. Leaves build/sea/linux-ARCH/rpftrace, and THIRD_PARTY beside it. It is Node's own single
 * executable: a node from the npm registry with the program, the prebuilt binaries and the licences inside (ADR 13). Needs what
 * npm run prebuilds needs.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { singleFile } from '../rolldown.config.mjs';
import { main, root, run, runQuietly, Stop } from './lib/command.mjs';
import { fetchNode, fetchPackage, NODE } from './lib/npm.mjs';
import { heading } from './lib/third-party.mjs';

const POSTJECT = {
  version: '1.0.0-alpha.6',
  integrity:
    'sha512-b9Eb8h2eVqNE8edvKdwqkrY6O7kAwmI8kcnBv1NScolYJbo59XUF0noFq+lxbC1yN20bmC0WBEbDC5H/7ASb0A==',
};

const SEA = join(root, 'build', 'sea');

await main(async () => {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : [process.arch];
  const unknown = wanted.find((arch) => !(arch in NODE.integrity));
  if (unknown) throw new Stop(`unknown architecture '${unknown}': x64 or arm64`, 2);
  run(process.execPath, ['scripts/build.mjs']);
  run(process.execPath, ['scripts/prebuild.mjs', ...wanted]);
  const program = await bundle();
  for (const arch of wanted) await build(arch, program);
});

async function bundle() {
  const build = await rolldown({ ...singleFile, cwd: root, logLevel: 'warn' });
  const { output } = await build.write(singleFile.output);
  return join(root, singleFile.output.dir, output[0].fileName);
}

async function build(arch, program) {
  const node = await fetchNode(arch);
  const target = join(SEA, `linux-${arch}`);
  mkdirSync(target, { recursive: true });
  const licences = join(target, 'THIRD_PARTY');
  writeFileSync(licences, collectLicences(node));
  const config = join(SEA, `${arch}.json`);
  const blob = join(SEA, `${arch}.blob`);
  writeFileSync(
    config,
    JSON.stringify({
      main: program,
      output: blob,
      disableExperimentalSEAWarning: true,
      // Made by the node that reads it, or refused by it.
      useCodeCache: arch === process.arch,
      // NODE_OPTIONS of whoever starts it are meant for other programs.
      execArgvExtension: 'none',
      assets: { ...assets(arch), THIRD_PARTY: licences },
    }),
  );
  const own = await fetchNode(process.arch);
  runQuietly(join(own, 'bin', 'node'), ['--experimental-sea-config', config]);
  const file = join(target, 'rpftrace');
  copyFileSync(join(node, 'bin', 'node'), file);
  runQuietly('llvm-strip', [file]);
  const postject = await fetchPackage('postject', POSTJECT.version, POSTJECT.integrity);
  runQuietly(process.execPath, ['scripts/sea/inject.mjs', postject, file, blob]);
  process.stderr.write(`built ${file}\n`);
}

/** What src/package-file.ts asks for, by its path in the package. */
function assets(arch) {
  const binaries = readdirSync(join(root, 'prebuilds', `linux-${arch}`));
  const names = [
    'package.json',
    'proto/cri.proto',
    ...binaries.map((name) => `prebuilds/linux-${arch}/${name}`),
  ];
  return Object.fromEntries(names.map((name) => [name, join(root, name)]));
}

function collectLicences(node) {
  const parts = [
    ['rpftrace', join(root, 'LICENSE')],
    ['rpftrace: native/bpf/ and native/include/', join(root, 'LICENSES', 'BSD-2-Clause.txt')],
    [`Node ${NODE.version}`, join(node, 'LICENSE')],
  ].map(([title, file]) => `${heading(title)}${readFileSync(file, 'utf8')}`);
  const others = [join(root, 'prebuilds', 'THIRD_PARTY'), join(root, singleFile.output.dir, 'THIRD_PARTY')];
  return [...parts, ...others.map((file) => readFileSync(file, 'utf8'))].join('\n');
}
