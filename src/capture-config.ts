import { backendConfig } from './backends.js';
import type { NativeConfig } from './native.js';

/** What the kernel is asked for, beside the filters. */
export function captureConfig(options: {
  every?: boolean | undefined;
  snaplen?: number | undefined;
  intervalMs?: number | undefined;
  backend?: readonly string[] | undefined;
}): NativeConfig {
  return {
    ...backendConfig(options.backend ?? []),
    ...(options.every && { every: true }),
    ...(options.snaplen !== undefined && { snaplen: options.snaplen }),
    ...(options.intervalMs !== undefined && { intervalMs: options.intervalMs }),
  };
}
