import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const project = resolve(import.meta.dirname, '..', '..', '..');

/** What a container of the image should be given: docs/container.md. */
export const CAPABILITIES_OF_IMAGE = [
  ...['BPF', 'PERFMON', 'NET_ADMIN', 'SYS_ADMIN', 'SYS_PTRACE', 'DAC_READ_SEARCH', 'DAC_OVERRIDE'],
];

/** What the image's configuration says, as Docker has it. */
export interface ImageConfig {
  readonly User: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Entrypoint: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/** The image of the Dockerfile, built from what is checked out. */
export class Image {
  readonly archive = join(project, 'build', 'image', 'rpftrace.tar');
  readonly name: string;
  readonly config: ImageConfig;
  /** Of all layers. */
  readonly bytes: number;
  readonly files: readonly string[];

  private constructor() {
    const [manifest] = JSON.parse(this.#read('manifest.json')) as [Manifest];
    this.name = manifest.RepoTags[0];
    this.config = JSON.parse(this.#read(manifest.Config)).config;
    const layers = manifest.Layers.map((layer) => this.#entriesOf(layer));
    this.files = layers.flat().map(({ path }) => path);
    this.bytes = layers.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Takes minutes where something has changed. */
  static build(): Image {
    execFileSync(process.execPath, ['scripts/image.mjs'], {
      cwd: project,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return new Image();
  }

  #read(file: string): string {
    return execFileSync('tar', ['xOf', this.archive, file], { encoding: 'utf8' });
  }

  #entriesOf(layer: string): { path: string; bytes: number }[] {
    const script = `tar xOf "$0" "$1" | tar tvf - --numeric-owner --full-time`;
    const list = execFileSync('sh', ['-c', script, this.archive, layer], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    return list
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [mode = '', , size, , , path = ''] = line.split(/\s+/);
        return { path, bytes: mode.startsWith('-') ? Number(size) : 0 };
      });
  }
}

interface Manifest {
  readonly Config: string;
  readonly RepoTags: readonly [string];
  readonly Layers: readonly string[];
}
