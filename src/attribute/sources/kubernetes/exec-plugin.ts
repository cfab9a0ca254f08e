import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { KubeConfig } from '@kubernetes/client-node';

/**
 * Lets a credential plugin that waits for somebody to log in, or that floods us, neither live on nor keep the process alive:
 * the library sets no bounds.
 */
export function boundPlugins(config: KubeConfig): void {
  const { authenticators } = config as unknown as { authenticators: Partial<PluginRunner>[] };
  for (const authenticator of authenticators) {
    if ('execFn' in authenticator) authenticator.execFn = spawnBounded;
  }
}

/** What the library's ExecAuth has, and does not show. */
interface PluginRunner {
  execFn: typeof spawnBounded;
}

function spawnBounded(
  command: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): ChildProcess {
  const plugin = spawn(command, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PLUGIN_MS,
    killSignal: 'SIGKILL',
  });
  plugin.unref();
  // Its time limit is a timer of ours, which ends with us.
  const end = () => plugin.kill('SIGKILL');
  process.once('exit', end);
  plugin.once('close', () => process.removeListener('exit', end));
  let bytes = 0;
  for (const stream of [plugin.stdout, plugin.stderr]) {
    (stream as Socket | null)?.unref();
    stream?.on('data', (text: string | Buffer) => {
      bytes += text.length;
      if (bytes > MAX_BYTES) plugin.kill('SIGKILL');
    });
  }
  return plugin;
}

/** By then nobody waits for it any more. */
const PLUGIN_MS = 30_000;
/** Tokens have a few KiB, chains of certificates a few more. */
const MAX_BYTES = 1 << 20;
