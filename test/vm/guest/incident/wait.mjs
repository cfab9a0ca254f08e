import { setTimeout as pause } from 'node:timers/promises';

/** What `look` returns as soon as that is something. Throws `otherwise` after more time than an emulated machine can need. */
export async function waitFor(look, otherwise) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(otherwise);
    await pause(50);
  }
}

const PATIENCE_MS = 120_000;
