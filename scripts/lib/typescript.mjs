import { basename, join } from 'node:path';
import { root } from './command.mjs';

/** Loads a TypeScript module of the tests, with all that it imports of ours, into a script: Node.js 20 reads none. */
export async function importTypeScript(file) {
  const { build } = await import('rolldown');
  const output = join(root, 'build', 'scripts', `${basename(file, '.ts')}.mjs`);
  await build({
    input: join(root, file),
    platform: 'node',
    external: [/^@grpc\//],
    output: { file: output, format: 'esm' },
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    logLevel: 'silent',
  });
  return await import(output);
}
