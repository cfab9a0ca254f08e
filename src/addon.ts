import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { TracerError } from './errors.js';
import type { NativeAddon } from './native.js';
import { LAYOUT_HASH } from './record/layout.gen.js';
import { ROOT } from './root.js';

/**
 * Loads the native addon: the one that was built here, else the one that the package brought along.
 * Throws a TracerError that lists everything that was tried: E_NOT_LINUX, E_ADDON_MISSING or E_LAYOUT_MISMATCH.
 */
export function loadAddon(
  files: readonly string[] = candidates(),
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

/** The path of a binary that belongs to the addon; where there is none, of the place where it should be. */
export function findBinary(name: string): string {
  const places = placesOf(name);
  return places.find((place) => existsSync(place)) ?? (places.at(-1) as string);
}

function candidates(): string[] {
  return placesOf('rpftrace.node');
}

/** Where a binary may lie, the likeliest first: this checkout's build, then prebuilt binaries in the package. */
function placesOf(name: string): string[] {
  const places = [`build/Release/${name}`, `prebuilds/${process.platform}-${process.arch}/${name}`];
  return places.map((place) => join(ROOT, place));
}

/** Returns the addon, or why not. */
function tryLoad(file: string): NativeAddon | string {
  if (!existsSync(file)) return 'no such file';
  try {
    return createRequire(import.meta.url)(file) as NativeAddon;
  } catch (error) {
    return (error as Error).message;
  }
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
