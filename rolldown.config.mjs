import { fileURLToPath } from 'node:url';
import { thirdParty } from './scripts/lib/third-party.mjs';

/**
 * Puts the program's modules together: what begins a trace into one file, all that a trace needs besides into another, which is read
 * while the kernel looks at the programs, and what is loaded on demand (schema, table, doctor, lab, sources of pods) into files beside
 * them. To load some fifty modules one by one takes node 60 ms, a quarter of the time in which rpftrace has to be attached. The
 * library stays as tsc wrote it.
 */
// cli/main.js stays outside too: it awaits the program, and what is loaded on demand meanwhile must not wait for it.
const onDemand =
  /\/dist\/(cli\/main|events|sink\/(table|(pcapng|hubble)\/.*)|(metrics|otlp|pod-events)\/.*|cli\/(doctor|lab|serve|kubectl|attach(-\w+)?)|(attach|doctor|lab|serve)\/.*|attribute\/sources\/.*)\.js$/;

/** What src/cli/start-trace.ts and the reading of the command line need. */
const neededFirst =
  /\/node_modules\/commander\/|\/dist\/((addon|backends|capture-config|enclosed-addon|errors|nameless|package-file|printable|root|suggest|tracer-options|units|version|http-url)|record\/layout\.gen|attribute\/sources\/kubernetes-options|cli\/(formats|heap|help|http-url|program|say|signals|start-trace|stderr|trace-options|units))\.js$/;

/** Of the packages, those that each trace needs. */
const neededAtOnce = /\/node_modules\/(commander|sonic-boom)\//;

/** The Kubernetes client's own code does nothing when it is loaded, but does not say so. */
const withoutSideEffects = /\/node_modules\/@kubernetes\/client-node\/dist\//;

const common = {
  platform: 'node',
  // Of the client 10 MB of memory are left instead of 73: without the 700 kinds of objects that nobody asks for.
  treeshake: { moduleSideEffects: (id) => !withoutSideEffects.test(id) },
  // What node-fetch takes where node has no URL of its own: 450 KB, most of it tables of the letters in names of hosts.
  resolve: {
    alias: { 'whatwg-url': fileURLToPath(new URL('scripts/lib/no-whatwg-url.mjs', import.meta.url)) },
  },
  plugins: [thirdParty('THIRD_PARTY')],
};

export default {
  ...common,
  // Loaded from node_modules when a source of pods asks for them, if ever: they load files of their own in ways of their own.
  external: [/^@grpc\//],
  input: { rpftrace: 'dist/cli/main.js' },
  output: {
    dir: 'dist/program',
    format: 'esm',
    cleanDir: true,
    codeSplitting: {
      groups: [
        { name: 'start', test: isNeededFirst, priority: 1 },
        { name: 'trace', test: isNeededAtOnce },
      ],
    },
  },
};

/** All of it in one file, for the single-file executable: in CommonJS, and without import(), as Node wants it there. */
export const singleFile = {
  ...common,
  input: { rpftrace: 'dist/cli/single-file.js' },
  output: {
    dir: 'build/sea/program',
    format: 'cjs',
    cleanDir: true,
    entryFileNames: '[name].cjs',
    codeSplitting: false,
    dynamicImportInCjs: false,
  },
};

function isNeededFirst(id) {
  return neededFirst.test(id);
}

function isNeededAtOnce(id) {
  return id.includes('/node_modules/') ? neededAtOnce.test(id) : !onDemand.test(id);
}
