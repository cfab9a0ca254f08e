import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DropSource } from '../process/support/drops.js';
import { emitted, parseEvents } from '../process/support/program.js';
import { documentedLine } from './support/documented.js';
import { Image } from './support/image.js';
import { Podman } from './support/podman.js';

const source = new DropSource();
let podman: Podman;

beforeAll(() => {
  podman = Podman.start(Image.build());
});
afterAll(() => {
  podman?.stop();
  source.remove();
});

describe('podman, by the lines of docs/container.md', () => {
  test('has one look', async () => {
    const flood = source.flood(1_000_000, { rate: 50 });
    const line = documentedLine('docs/container.md', 'docker run --rm -it').replace(' -it', '');
    const stdout = await podman.line(`${line} -o ndjson --duration 4s`);
    await flood.stop();
    expect(emitted(inside(stdout))).toBeGreaterThan(0);
  });

  test('serves for days, and is attached to', async () => {
    await podman.line(documentedLine('docs/container.md', 'docker run -d --name rpftrace'));
    const attach = `${documentedLine('docs/container.md', 'docker exec rpftrace')} --since 1h --no-follow -o ndjson`;
    await vi.waitFor(async () => expect(await podman.line(attach)).toContain('"kind":"start"'), PATIENCE);
    await source.drop(50);
    await vi.waitFor(async () => expect(emitted(inside(await podman.line(attach)))).toBe(50), PATIENCE);
  });
});

/** Events of the source's own device. */
function inside(ndjson: string) {
  return parseEvents(ndjson).filter((event) => event.kind === 'drop' && event.device.netns === source.inode);
}

const PATIENCE = { timeout: 60_000, interval: 500 };
