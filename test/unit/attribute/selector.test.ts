import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSelector } from '../../../src/attribute/selector.js';
import { TracerError } from '../../../src/errors.js';

type Labels = Record<string, string>;

describe('what a selector means', () => {
  const web: Labels = { app: 'web', tier: 'front', 'example.com/canary': '', weight: '10' };

  test.each<[selector: string, meant: boolean]>([
    ['', true],
    ['  ', true],
    ['app', true],
    ['App', false],
    ['!app', false],
    ['! absent', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app=db', false],
    ['app!=db', true],
    ['app!=web', false],
    ['absent!=web', true],
    ['absent=', false],
    ['example.com/canary=', true],
    ['example.com/canary', true],
    ['example.com/canary!=', false],
    ['app in (db, web)', true],
    ['app in(web)', true],
    ['app in (db)', false],
    ['absent in (web)', false],
    ['app notin (db)', true],
    ['app notin (db,web)', false],
    ['absent notin (web)', true],
    ['example.com/canary in (,a)', true],
    ['example.com/canary in ()', true],
    ['app in ()', false],
    ['app notin ( )', true],
    ['example.com/canary in (a,,b)', true],
    ['app in (a,)', false],
    ['weight>9', true],
    ['weight>10', false],
    ['weight < 11', true],
    ['app>1', false],
    ['absent<1', false],
    ['app=web,tier in (front,back),!absent', true],
    ['app=web,tier=back', false],
    ['app=web,app=db', false],
    ['in in (in)', false],
    ['notin notin (in)', true],
  ])('%s: %j', (selector, meant) => {
    expect(parseSelector(selector)(web)).toBe(meant);
  });

  test('a label that every object inherits is none', () => {
    expect(parseSelector('constructor')({})).toBe(false);
    expect(parseSelector('toString!=x')({})).toBe(true);
  });
});

describe('what is no selector', () => {
  test.each([
    ['app=web,', 9, 'it ends'],
    [',app', 1, 'there is ","'],
    ['app web', 5, 'there is "web"'],
    ['app in web', 8, 'there is "web"'],
    ['app in (a', 10, 'it ends'],
    ['app in (a b)', 11, 'there is "b"'],
    ['!app=web', 5, 'there is "="'],
    ['=web', 1, 'there is "="'],
    ['app===web', 6, 'there is "="'],
    ['app=)', 5, 'there is ")"'],
    ['app!', 4, 'there is "!"'],
    ['app>many', 5, 'there is "many"'],
    ['app>9223372036854775808', 5, 'there is "9223372036854775808"'],
    ['-app', 1, 'there is "-app"'],
    ['app=-web', 5, 'there is "-web"'],
    ['Example.com/app', 1, 'there is "Example.com/app"'],
    ['a/b/c', 1, 'there is "a/b/c"'],
    ['/app', 1, 'there is "/app"'],
    [`${'a'.repeat(64)}`, 1, 'there is "aaaa'],
    [`app=${'a'.repeat(64)}`, 5, 'there is "aaaa'],
  ])('%s: character %i', (selector, character, found) => {
    const error = failureOf(selector);
    expect(error.code).toBe('E_USAGE');
    expect(error.message).toContain(`character ${character}: expected`);
    expect(error.message).toContain(found);
  });

  test('any text is either a selector or told to be none', () => {
    const signs = fc.constantFrom(
      '=',
      '==',
      '!',
      '!=',
      '(',
      ')',
      ',',
      ' ',
      'in',
      'notin',
      '<',
      '>',
      'a',
      '7',
      '/',
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(signs).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (selector) => {
        try {
          expect(typeof parseSelector(selector)({ a: '7' })).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(TracerError);
        }
      }),
    );
  });
});

/** Requirements with their meaning beside, so that the parser is held against it. */
describe('selectors that are made up', () => {
  const key = fc.constantFrom('app', 'tier', 'example.com/a_b', 'in', 'x.y-z');
  const value = fc.constantFrom<string[]>('', 'web', 'db', '7', 'notin', 'A.b_c');
  const space = fc.constantFrom('', ' ', '\t');
  const labels = fc.dictionary(key, value);
  const requirement = fc.oneof(
    key.map((k) => ({ text: k, holds: (l: Labels) => k in l })),
    fc.tuple(key, space).map(([k, s]) => ({ text: `!${s}${k}`, holds: (l: Labels) => !(k in l) })),
    fc.tuple(key, fc.constantFrom('=', '==', '!='), value, space).map(([k, operator, v, s]) => ({
      text: `${k}${s}${operator}${s}${v}`,
      holds: (l: Labels) => (operator === '!=' ? l[k] !== v : l[k] === v),
    })),
    fc
      .tuple(key, fc.constantFrom('in', 'notin'), fc.array(value, { minLength: 1, maxLength: 4 }), space)
      .map(([k, operator, values, s]) => ({
        text: `${k} ${operator}${s}(${values.map((v) => `${s}${v}`).join(`${s},`)})`,
        holds: (l: Labels) => (operator === 'in') === (k in l && values.includes(l[k] as string)),
      })),
  );

  test('all requirements must hold', () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 4 }), space, labels, (requirements, s, l) => {
        const selector = requirements.map(({ text }) => `${s}${text}${s}`).join(',');
        expect(parseSelector(selector)(l)).toBe(requirements.every(({ holds }) => holds(l)));
      }),
      { numRuns: 500 },
    );
  });
});

function failureOf(selector: string): TracerError {
  try {
    parseSelector(selector);
  } catch (error) {
    return error as TracerError;
  }
  throw new Error(`${selector} was taken`);
}
