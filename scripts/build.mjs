/** Builds build/Release/rpftrace.node and dist/:  node scripts/build.mjs. What is up to date is not built again. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, npmProgram, root, run } from './lib/command.mjs';
import { nodeHeaders } from './lib/debian.mjs';

await main(() => {
  buildAddon();
  run(npmProgram('tsc'), ['-p', 'tsconfig.json']);
  run(npmProgram('rolldown'), ['-c', 'rolldown.config.mjs', '--logLevel', 'warn']);
});

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
  const hash = createHash('sha256').update([process.version, process.arch, root, ...headers].join('\n'));
  for (const file of ['binding.gyp', 'native/sources.txt', 'package-lock.json']) {
    if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}
