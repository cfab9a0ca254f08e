import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/attach/target.js';

describe('what attach is told to attach to', () => {
  it.each([
    [undefined, { kind: 'default' }],
    ['/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['./x.sock', { kind: 'unix', path: `${process.cwd()}/./x.sock` }],
    ['http://127.0.0.1', http({ host: '127.0.0.1' })],
    ['http://127.0.0.1/', http({ host: '127.0.0.1' })],
    ['http://node:80', http({ host: 'node', port: 80 })],
    ['HTTP://[::1]:14200', http({ host: '::1', port: 14_200 })],
    ['https://node', http({ host: 'node', isTls: true })],
    ['https://node:443/drops/', http({ host: 'node', isTls: true, port: 443, prefix: '/drops' })],
    ['http://node:9/v1/events', http({ host: 'node', port: 9 })],
    [
      'k8s:kube-system/rpftrace-x7k2p',
      { kind: 'kubernetes', namespace: 'kube-system', pod: 'rpftrace-x7k2p', port: 14_100 },
    ],
    ['k8s:a/b.c:15000', { kind: 'kubernetes', namespace: 'a', pod: 'b.c', port: 15_000 }],
  ])('%s', (text, target) => {
    expect(parseTarget(text)).toEqual(target);
  });

  it.each([
    ['node:14100', 'node:14100 is no place to attach to'],
    ['ftp://node', 'ftp://node is no place to attach to'],
    ['\x1b[2Jx', 'is no place to attach to'],
    ['http://', 'this is no URL'],
    ['k8s:Kube/x', 'is no k8s:NAMESPACE/POD'],
    ['k8s:a/b:0', 'is no k8s:NAMESPACE/POD'],
    ['k8s:a/b:65536', 'is no k8s:NAMESPACE/POD'],
    ['http://node/?since=10m', 'ends with its path'],
    [`/${'x'.repeat(107)}`, 'at most 107 bytes'],
  ])('refuses %s', (text, message) => {
    expect(() => parseTarget(text)).toThrow(message);
  });

  it('never repeats a password', () => {
    for (const text of ['http://me:secret@node', 'http://me:secret@node:x', 'https://secret@node']) {
      expect(() => parseTarget(text)).toThrow(/^(?!.*secret)/);
    }
  });

  it('shows what it was given without control characters', () => {
    expect(() => parseTarget('\x1b[2Jx')).toThrow(/^[^\x1b]+$/);
  });
});

function http(members: object): object {
  return { kind: 'http', isTls: false, port: 14_100, prefix: '', ...members };
}
