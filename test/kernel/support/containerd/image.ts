import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../src/lab/process.js';
import { FOLDER } from './settings.js';

/** Writes a docker archive of one layer that holds nothing but /pause, a static program, and returns its path. */
export async function makePauseImage(folder: string, tag: string): Promise<string> {
  const parts = join(folder, 'image');
  await mkdir(parts, { recursive: true });
  await run('gcc', ['-static', '-Os', '-s', '-o', join(parts, 'pause'), SOURCE]);
  await run('tar', ['-C', parts, '--owner=0', '--group=0', '-cf', join(parts, 'layer.tar'), 'pause']);
  await writeFile(
    join(parts, 'config.json'),
    JSON.stringify(configOf(await digest(join(parts, 'layer.tar')))),
  );
  const manifest = [{ Config: 'config.json', RepoTags: [tag], Layers: ['layer.tar'] }];
  await writeFile(join(parts, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(folder, 'image.tar');
  await run('tar', ['-C', parts, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar']);
  await rm(parts, { recursive: true });
  return archive;
}

const SOURCE = join(FOLDER, 'pause.c');

/** process.arch in the words of the image format. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

function configOf(layerDigest: string): object {
  return {
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: { Entrypoint: ['/pause'] },
    rootfs: { type: 'layers', diff_ids: [layerDigest] },
  };
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(file));
  return `sha256:${hash.digest('hex')}`;
}
