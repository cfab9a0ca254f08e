/**
 * Puts the program's modules together: all that a trace needs into one file, what is loaded on demand (schema, table, lab) into
 * files beside it. To load some fifty modules one by one takes node 60 ms, a quarter of the time in which rpftrace has to be
 * attached. The library stays as tsc wrote it.
 */
// cli/main.js stays outside too: it awaits the program, and what is loaded on demand meanwhile must not wait for it.
const onDemand =
  /\/dist\/(cli\/main|events|sink\/table|cli\/lab|lab\/.*)\.js$|\/node_modules\/(zod|string-width|strip-ansi|ansi-regex|get-east-asian-width|emoji-regex)\//;

export default {
  // Loaded from node_modules when a source of pods asks for them, if ever: they load files of their own in ways of their own.
  external: [/^@grpc\//, /^@kubernetes\//],
  input: { rpftrace: 'dist/cli/main.js' },
  platform: 'node',
  output: {
    dir: 'dist/program',
    format: 'esm',
    cleanDir: true,
    codeSplitting: { groups: [{ name: 'trace', test: (id) => !onDemand.test(id) }] },
  },
};
