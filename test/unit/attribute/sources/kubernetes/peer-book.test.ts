import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PeerSighting } from '../../../../../src/attribute/source.js';
import { PeerBook } from '../../../../../src/attribute/sources/kubernetes/peer-book.js';
import { Recorder } from '../../../../support/kubernetes.js';

function peer(name: string): PeerSighting {
  return { key: name, kind: 'pod', ips: ['10.244.4.7'], namespace: 'shop', name };
}

test('what the observer knows is what the objects say together', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'));
  const steps = fc.array(fc.tuple(fc.constantFrom('x', 'y', 'z'), names));
  fc.assert(
    fc.property(steps, (said) => {
      const seen = new Recorder();
      const book = new PeerBook(seen, 100);
      const current = new Map<string, readonly string[]>();
      for (const [uid, peers] of said) {
        book.put(uid, peers.map(peer));
        current.set(uid, peers);
        const expected = [...new Set([...current.values()].flat())].sort();
        expect([...seen.peers.keys()].sort()).toEqual(expected);
        expect([...book.keys()].sort()).toEqual(expected);
      }
    }),
  );
});

test('is bounded: peers beyond are not told, and there is room again when some are gone', () => {
  const seen = new Recorder();
  const book = new PeerBook(seen, 2);
  book.put('x', [peer('a'), peer('b')]);
  expect(book.isFull).toBe(false);
  book.put('y', [peer('c'), peer('a')]);
  expect([...seen.peers.keys()]).toEqual(['a', 'b']);
  expect(book.isFull).toBe(true);
  book.drop('x');
  book.put('z', [peer('d')]);
  expect([...seen.peers.keys()]).toEqual(['a', 'd']);
});
