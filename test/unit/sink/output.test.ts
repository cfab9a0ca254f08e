import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TracerError } from '../../../src/errors.js';
import { Output, type OutputOptions } from '../../../src/sink/output.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

describe('Output', () => {
  test('writes a file from its start', async () => {
    const file = join(temporaryDirectory(), 'out');
    for (const text of ['old and longer\n', 'new\n']) {
      const output = new Output({ file });
      output.writeText(text);
      await output.end();
    }
    expect(readFileSync(file, 'utf8')).toBe('new\n');
  });

  test('writes lines of any length, in order', async () => {
    const file = join(temporaryDirectory(), 'out');
    const output = new Output({ file });
    const lines = ['short\n', `${'ü'.repeat(10_000)}\n`, 'last\n'];
    for (const line of lines) output.writeText(line);
    await output.end();
    expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
  });

  test('is not ready when its memory is full, and ready again when the file has taken it', async () => {
    const file = join(temporaryDirectory(), 'out');
    const output = new Output({ file });
    let written = 0;
    await new Promise<void>((resolve) => {
      output.onReady = resolve;
      while (output.ready) {
        output.writeText(`${'x'.repeat(999)}\n`);
        written += 1000;
      }
      expect(written).toBeLessThanOrEqual(1 << 20);
    });
    expect(output.ready).toBe(true);
    await output.end();
    expect(statSync(file).size).toBe(written);
    expect(output.pending).toBe(0);
  });

  test('a full device is an error with the file in it, told once', async () => {
    const { output, errors } = failing({ file: '/dev/full' });
    output.writeText('x\n');
    await expect(output.end()).rejects.toThrow('cannot write to /dev/full: ENOSPC');
    expect(errors.map((error) => error.code)).toEqual(['E_OUTPUT']);
    expect(output.ready).toBe(false);
  });

  test('a directory that is not there is an error at once', () => {
    const file = join(temporaryDirectory(), 'gone', 'out');
    expect(() => new Output({ file })).toThrow(`cannot write to ${file}: ENOENT`);
  });

  test('a file that is deleted while it is written is an error', async () => {
    const file = join(temporaryDirectory(), 'out');
    const { output, failed } = failing({ file });
    rmSync(file);
    output.writeText('x\n');
    output.flush();
    expect((await failed).message).toBe(`${file} was deleted while it was written`);
  });

  test('a reader that is gone is told apart from other failures', async () => {
    const file = join(temporaryDirectory(), 'fifo');
    execFileSync('mkfifo', [file]);
    const reader = openSync(file, 'r+');
    const { output, failed } = failing({ file });
    closeSync(reader);
    output.writeText('x\n');
    output.flush();
    expect((await failed).code).toBe('E_READER_GONE');
  });
});

describe('rotation', () => {
  test('keeps the newest files, each with whole lines and no larger than asked for', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'out');
    const output = new Output({ file, rotateSize: 100, rotateKeep: 2 });
    for (let index = 0; index < 50; index++) output.writeText(`line ${String(index).padStart(4, '0')}\n`);
    await output.end();
    expect(readdirSync(directory).sort()).toEqual(['out', 'out.1', 'out.2']);
    const text = ['out.2', 'out.1', 'out'].map((name) => readFileSync(join(directory, name), 'utf8'));
    expect(text.every((one) => one.length <= 100 && one.endsWith('\n'))).toBe(true);
    const numbers = text.join('').match(/\d+/g)?.map(Number) ?? [];
    expect(numbers).toEqual(
      Array.from({ length: numbers.length }, (_, index) => 50 - numbers.length + index),
    );
  });

  test('loses nothing between the files, whatever the pieces are that come in', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'out');
    const output = new Output({ file, rotateSize: 64 * 1024, rotateKeep: 100 });
    const total = 20_000;
    for (let index = 0; index < total; index++) {
      while (!output.ready) await new Promise<void>((resolve) => (output.onReady = resolve));
      output.writeText(`${index} ${'x'.repeat(index % 300)}\n`);
    }
    await output.end();
    const names = readdirSync(directory).sort((a, b) => Number(b.slice(4)) - Number(a.slice(4)));
    const oldestFirst = [...names.filter((name) => name !== 'out'), 'out'];
    const numbers = oldestFirst.flatMap((name) =>
      readFileSync(join(directory, name), 'utf8').trimEnd().split('\n').map(Number.parseFloat),
    );
    expect(numbers).toEqual(Array.from({ length: total }, (_, index) => index));
  });

  test('a line that is longer than a file gets one of its own', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'out');
    const output = new Output({ file, rotateSize: 10, rotateKeep: 9 });
    for (const line of ['a\n', `${'b'.repeat(30)}\n`, 'c\n']) output.writeText(line);
    await output.end();
    expect(readFileSync(join(directory, 'out.2'), 'utf8')).toBe('a\n');
    expect(readFileSync(join(directory, 'out.1'), 'utf8')).toBe(`${'b'.repeat(30)}\n`);
    expect(readFileSync(file, 'utf8')).toBe('c\n');
  });

  test('a directory that is removed meanwhile is an error', async () => {
    const directory = join(temporaryDirectory(), 'gone');
    mkdirSync(directory);
    const { output, failed } = failing({ file: join(directory, 'out'), rotateSize: 4 });
    rmSync(directory, { recursive: true });
    output.writeText('one\ntwo\n');
    output.flush();
    expect((await failed).message).toMatch(/^cannot write to .*ENOENT|was deleted/);
    expect(existsSync(directory)).toBe(false);
  });
});

function failing(options: OutputOptions): {
  output: Output;
  errors: TracerError[];
  failed: Promise<TracerError>;
} {
  const output = new Output(options);
  const errors: TracerError[] = [];
  const failed = new Promise<TracerError>((resolve) => {
    output.onError = (error) => {
      errors.push(error);
      resolve(error);
    };
  });
  return { output, errors, failed };
}
