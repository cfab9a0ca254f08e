/**
 * Installs what is missing:  node scripts/setup.mjs [--list] GROUP...
 *
 * GROUP is a group of scripts/debian-packages.txt; the npm packages always belong to it. What is there already is left
 * alone, so a second run takes a fraction of a second. --list only prints the names of the Debian packages.
 */
import { main } from './lib/command.mjs';
import { installDebianPackages, wantedPackages } from './lib/debian.mjs';
import { installNpmPackages, requireNode } from './lib/npm.mjs';

const [option, ...rest] = process.argv.slice(2);

await main(() => {
  if (option === '--list') {
    process.stdout.write(`${wantedPackages(rest).join('\n')}\n`);
    return;
  }
  requireNode();
  installDebianPackages(process.argv.slice(2));
  installNpmPackages();
});
