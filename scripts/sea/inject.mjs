/** Puts a blob into a copy of node, where it looks for a program of its own:  node scripts/sea/inject.mjs POSTJECT FILE BLOB */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [postject, file, blob] = process.argv.slice(2);
const { inject } = createRequire(import.meta.url)(join(postject, 'dist', 'api.js'));
// Both names are Node's: src/node_sea.cc.
await inject(file, 'NODE_SEA_BLOB', readFileSync(blob), {
  sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
});
