/** Builds build/Release/rpftrace.node and dist/:  node scripts/build.mjs. What is up to date is not built again. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, npmProgram, root, run } from './lib/command.mjs';
import { nodeHeaders } from './lib/debian.mjs';

await main(async () => {
  buildAddon();
  run(npmProgram('tsc'), ['-p', 'tsconfig.json']);
  removeStaleModules();
  await bundle();
});

/** tsc leaves what it made of a source that is gone, and it would be packed. */
function removeStaleModules() {
  const made = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' });
  const stale = made.filter((file) => {
    const module = /^(?!program\/)(.*?)(\.js|\.d\.ts)(\.map)?$/.exec(file)?.[1];
    return module !== undefined && !existsSync(join(root, 'src', `${module}.ts`));
  });
  for (const file of stale) rmSync(join(root, 'dist', file));
}

/** Not by rolldown's own command, which lists its files whatever it is told. */
async function bundle() {
  const { build } = await import('rolldown');
  const { default: config } = await import('../rolldown.config.mjs');
  await build({ ...config, cwd: root, logLevel: 'warn' });
}

function buildAddon() {
  const prefix = nodeHeaders();
  const headers = prefix ? [`--nodedir=${prefix}`] : [];
  const stamp = join(root, 'build', 'configured');
  const key = configureKey(headers);
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== key) {
    run(npmProgram('node-gyp'), ['configure', '--loglevel=warn', ...headers]);
    writeFileSync(stamp, key);
  }
  const quiet = { MAKEFLAGS: '--silent --no-print-directory' };
  run(npmProgram('node-gyp'), ['build', '--loglevel=warn', '--jobs=max', ...headers], quiet);
}

/** All that the generated Makefile depends on; make itself looks after the rest. */
function configureKey(headers) {
  const listed = ['native/bpf', 'native/include'].flatMap((folder) => readdirSync(join(root, folder))); // binding.gyp lists them
  const words = [process.version, process.arch, root, ...headers, ...listed.sort()];
  const hash = createHash('sha256').update(words.join('\n'));
  for (const file of ['binding.gyp', 'native/sources.txt', 'package-lock.json']) {
    if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}
