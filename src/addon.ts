import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isSea } from 'node:sea';
import { LIBRARIES, loadWithLibraries } from './enclosed-addon.js';
import { TracerError } from './errors.js';
import type { NativeAddon } from './native.js';
import { packageFile } from './package-file.js';
import { LAYOUT_HASH } from './record/layout.gen.js';

/**
 * Loads the native addon: the one that was built here, else the one that the package brought along.
 * Throws a TracerError that lists everything that was tried: E_NOT_LINUX, E_ADDON_MISSING or E_LAYOUT_MISMATCH; of the single-file
 * executable E_NO_PLACE, too.
 */
export function loadAddon(
  files: readonly string[] = placesOf(ADDON).map(packageFile),
  platform: string = process.platform,
): NativeAddon {
  if (platform !== 'linux') throw new TracerError('E_NOT_LINUX', `rpftrace needs Linux, this is ${platform}`);
  const tried: string[] = [];
  for (const file of files) {
    const loaded = tryLoad(file);
    if (typeof loaded !== 'string') return checkLayout(loaded, file);
    tried.push(`${file}: ${loaded}`);
  }
  throw new TracerError('E_ADDON_MISSING', `the native addon could not be loaded; tried\n${indent(tried)}`);
}

const ADDON = 'rpftrace.node';

/** The path of a binary that belongs to the addon; where there is none, of the place where it should be. Throws E_NO_PLACE. */
export function findBinary(name: string): string {
  const places = placesOf(name).map(packageFile);
  return places.find((place) => existsSync(place)) ?? (places.at(-1) as string);
}

/** Where a binary may lie in the package, the likeliest first: this checkout's build, then prebuilt binaries. */
function placesOf(name: string): string[] {
  const prebuilt = `prebuilds/${process.platform}-${process.arch}/${name}`;
  return isSea() ? [prebuilt] : [`build/Release/${name}`, prebuilt];
}

/** Returns the addon, or why not. */
function tryLoad(file: string): NativeAddon | string {
  if (!existsSync(file)) return 'no such file';
  try {
    return (isSea() ? loadEnclosed(file) : createRequire(import.meta.url)(file)) as NativeAddon;
  } catch (error) {
    return (error as Error).message;
  }
}

let enclosed: unknown;

/** Loaded twice, it would be there twice. */
function loadEnclosed(file: string): unknown {
  enclosed ??= loadWithLibraries(file, LIBRARIES.map(findBinary));
  return enclosed;
}

function checkLayout(addon: NativeAddon, file: string): NativeAddon {
  if (addon.layoutHash === LAYOUT_HASH) return addon;
  throw new TracerError(
    'E_LAYOUT_MISMATCH',
    `${file} was built for record layout ${addon.layoutHash}, this program reads ${LAYOUT_HASH}`,
  );
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n');
}
