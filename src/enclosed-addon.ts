import { constants } from 'node:os';

/** The libraries that lie beside the addon in the package, each after those that it needs. */
export const LIBRARIES = ['libz.so.1', 'libelf.so.1', 'libmnl.so.0'] as const;

/**
 * Loads an addon whose libraries are not beside it, but at these paths. The loader of glibc takes a library that is loaded already
 * for one that is asked for by the same name (its DT_SONAME). Throws the loader's words.
 */
export function loadWithLibraries(addon: string, libraries: readonly string[]): unknown {
  for (const library of libraries) keepLoaded(library);
  const module = { exports: {} };
  process.dlopen(module, addon);
  return module.exports;
}

/** Node loads addons only: it complains of a library and closes it again, which RTLD_NODELETE makes no difference to. */
function keepLoaded(library: string): void {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    if (!/did not self-register/.test((error as Error).message)) throw error;
  }
}

/** Not among Node's constants; glibc's on all architectures (bits/dlfcn.h). */
const RTLD_NODELETE = 0x1000;
