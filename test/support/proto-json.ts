import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import protobuf from 'protobufjs';

/** What protobuf's own parser of JSON says of these lines as messages of a type: unknown members, wrong values. Empty: it takes all. */
export function protoJsonErrors(file: string, type: string, lines: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'proto-'));
  try {
    const descriptors = join(directory, 'descriptors');
    const words = ['--include_imports', `--descriptor_set_out=${descriptors}`, `-I${dirname(file)}`];
    execFileSync('protoc', [...words, basename(file)]);
    return execFileSync(PYTHON, [READER, descriptors, type], { input: lines.join('\n'), encoding: 'utf8' });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Names are those of the file, not their camel case. */
export function loadProto(file: string): protobuf.Namespace {
  return new protobuf.Root().loadSync(file, { keepCase: true }).resolveAll();
}

/** Debian's, which has Debian's packages. */
const PYTHON = '/usr/bin/python3';
const READER = join(import.meta.dirname, 'proto_json.py');
