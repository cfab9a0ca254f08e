import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What benches use of a built package, in the folder where it is. */
export async function importLibrary(folder) {
  const parts = ['lab/lab.js', 'lab/sender.js', 'lab/topology.js', 'addon.js', 'backends.js'];
  const urls = parts.map((part) => pathToFileURL(join(folder, 'dist', part)).href);
  return Object.assign({}, ...(await Promise.all(urls.map((url) => import(url)))));
}
