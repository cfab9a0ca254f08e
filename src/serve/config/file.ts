import { readFileSync } from 'node:fs';
import { TracerError } from '../../errors.js';
import type { ConfigInput } from './schema.js';

export interface ConfigFile {
  readonly path: string;
  readonly input: ConfigInput;
  /** The line in which a key stands; undefined where it does not stand in the file. */
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

/** Reads YAML, of which JSON is a part. Throws E_CONFIG. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  // Loaded only where there is a file: it takes some megabytes.
  const { isMap, isNode, isScalar, LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false });
  const [wrong] = document.errors;
  if (wrong) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    throw new TracerError('E_CONFIG', `${path}, line ${line}, column ${col}: ${wrong.message}`);
  }
  const input: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  if (typeof input !== 'object' || Array.isArray(input))
    throw new TracerError('E_CONFIG', `${path}: at its top there are keys, as in: listen: [...]`);
  return {
    path,
    input: input as ConfigInput,
    lineOf: (keys) => {
      const parent: unknown = keys.length === 1 ? document.contents : document.getIn(keys.slice(0, -1), true);
      const pair = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && key.value === keys.at(-1))
        : undefined;
      const node: unknown = pair?.key ?? document.getIn(keys, true);
      const start = isNode(node) ? node.range?.[0] : undefined;
      return start === undefined ? undefined : lines.linePos(start).line;
    },
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new TracerError('E_CONFIG', `cannot read the configuration: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
