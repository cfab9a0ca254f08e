import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { reportSchema } from '../../src/doctor/report.js';

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
}

const docs = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8');

test('what doctor tells is documented key by key, in the order of the schema', () => {
  const documented = [...docs.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string);
  expect(documented).toEqual(keysOf(reportSchema() as Schema).filter((key) => !IN_EVENTS.test(key)));
});

/** What is documented with events. */
const IN_EVENTS = /\.(mode|reverse_route|persisted(\[\])?)\./;

/** Paths of all keys, depth first. Elements of arrays are written as "pods[].device". */
function keysOf(schema: Schema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, member]) => {
    const path = `${prefix}${key}`;
    return member.items
      ? [path, ...keysOf(member.items, `${path}[].`)]
      : [path, ...keysOf(member, `${path}.`)];
  });
}
