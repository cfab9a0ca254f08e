/**
 * Installs what is missing:  node scripts/setup.mjs [--list] GROUP...
 *
 * GROUP is a group of scripts/debian-packages.txt; the npm packages always belong to it, Helm and kubectl to `test`. What is there
 * already is left alone, so a second run takes a fraction of a second. --list only prints the names of the Debian packages.
 */
import { main } from './lib/command.mjs';
import { installDebianPackages, wantedPackages } from './lib/debian.mjs';
import { fetchKubernetesTools } from './lib/kubernetes-tools.mjs';
import { installNpmPackages, requireNode } from './lib/npm.mjs';

const [option, ...rest] = process.argv.slice(2);

await main(async () => {
  if (option === '--list') {
    process.stdout.write(`${wantedPackages(rest).join('\n')}\n`);
    return;
  }
  requireNode();
  const groups = process.argv.slice(2);
  installDebianPackages(groups);
  installNpmPackages();
  if (groups.includes('test')) await fetchKubernetesTools();
});
