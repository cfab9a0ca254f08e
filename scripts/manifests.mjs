/**
 * Writes deploy/kubernetes/rpftrace.yaml from the Helm chart:  node scripts/manifests.mjs
 *
 * A contract test renders it again and compares.
 */
import { writeFileSync } from 'node:fs';
import { MANIFESTS, renderManifests } from './lib/chart.mjs';
import { main } from './lib/command.mjs';

await main(async () => writeFileSync(MANIFESTS, await renderManifests()));
