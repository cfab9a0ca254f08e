import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A plugin of rolldown that writes the licences of all packages that have gone into the bundle into a file beside it. */
export function thirdParty(fileName) {
  return {
    name: 'third-party',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap(({ moduleIds }) => moduleIds ?? []);
      const packages = new Set(modules.filter((id) => id.includes('/node_modules/')).map(packageOf));
      this.emitFile({ type: 'asset', fileName, source: [...packages].sort().map(licenceOf).join('\n') });
    },
  };
}

/** The heading of a licence in a file with many. */
export function heading(text) {
  return `${'='.repeat(100)}\n${text}\n${'='.repeat(100)}\n\n`;
}

/** The folder of the package that a module belongs to. Some packages have further ones inside, without a name. */
function packageOf(file) {
  const directory = dirname(file);
  const manifest = join(directory, 'package.json');
  return existsSync(manifest) && read(manifest).name !== undefined ? directory : packageOf(directory);
}

/** Its licence and notices; of one that brings no text, what its manifest says. */
function licenceOf(directory) {
  const { name, version, license, author } = read(join(directory, 'package.json'));
  const files = readdirSync(directory).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const texts = files.map((file) => readFileSync(join(directory, file), 'utf8'));
  if (texts.length === 0)
    texts.push(`License: ${license}. Author: ${author?.name ?? author ?? 'not named'}.\n`);
  return `${heading(`${name} ${version}`)}${texts.join('\n')}`;
}

function read(manifest) {
  return JSON.parse(readFileSync(manifest, 'utf8'));
}
