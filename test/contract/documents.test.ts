import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..', '..');

describe('the documents', () => {
  it.each(documents())('%s links to what is there', (document) => {
    const links = [...read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(
      ([, link]) => link as string,
    );
    const relative = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(relative.filter((link) => !existsSync(join(root, dirname(document), link)))).toEqual([]);
  });
});

describe('decisions', () => {
  const files = readdirSync(join(root, 'docs/adr'));

  it('have numbers of their own, without a gap', () => {
    expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, index) => index + 1));
  });

  it.each(files)('%s has its number in its title', (file) => {
    expect(read(`docs/adr/${file}`)).toMatch(new RegExp(`^# ${Number(file.slice(0, 4))}\\. `));
  });
});

function documents(): string[] {
  const folders = ['.', 'docs', 'docs/adr'];
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.md'))
      .map((file) => join(folder, file)),
  );
}

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}
