/**
 * Installs what is missing:  node scripts/setup.mjs GROUP...
 *
 * GROUP is a group of scripts/debian-packages.txt; the npm packages always belong to it. What is there already is left
 * alone, so a second run takes a fraction of a second.
 */
import { main } from './lib/command.mjs';
import { installDebianPackages } from './lib/debian.mjs';
import { installNpmPackages, requireNode } from './lib/npm.mjs';

await main(() => {
  requireNode();
  installDebianPackages(process.argv.slice(2));
  installNpmPackages();
});
