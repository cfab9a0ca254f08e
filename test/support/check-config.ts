import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeAuthority, writePair } from './certificates.js';

/**
 * What `rpftrace serve --check-config` says of a configuration whose secrets are where the chart mounts them. Throws with its words
 * where it does not take it.
 */
export function checkConfig(config: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'rpfchart-'));
  try {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, config.replaceAll('/etc/rpftrace/', `${folder}/`));
    writeSecrets(folder, config);
    return execFileSync('bin/rpftrace', ['serve', '--config', file, '--check-config'], {
      cwd: resolve(import.meta.dirname, '..', '..'),
      encoding: 'utf8',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeSecrets(folder: string, config: string): void {
  mkdirSync(join(folder, 'token'));
  writeFileSync(join(folder, 'token', 'token'), 'x'.repeat(32), { mode: 0o600 });
  if (!config.includes('tls.crt')) return;
  mkdirSync(join(folder, 'tls'));
  writePair(join(folder, 'tls'), makeAuthority().server);
}
