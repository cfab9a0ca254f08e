import { defineConfig } from 'vitest/config';

/** The kernel's counters and both CPUs are shared by all tests of these projects: one file at a time. */
const serial = { fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 };

/** Roots of Debian are made on the first run. */
const patient = { testTimeout: 300_000, hookTimeout: 1_500_000 };

export default defineConfig({
  test: {
    environment: 'node',
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      {
        extends: true,
        test: { name: 'contract', include: ['test/contract/**/*.test.ts'], testTimeout: 30_000 },
      },
      { extends: true, test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], ...serial } },
      {
        extends: true,
        test: { name: 'package', include: ['test/package/**/*.test.ts'], ...serial, ...patient },
      },
      { extends: true, test: { name: 'process', include: ['test/process/**/*.test.ts'], ...serial } },
    ],
  },
});
