import type { Device, RpfMode } from '../events.js';

/** What all drops have in common that die in one place on one device in one state. */
export interface Scene {
  readonly id: number;
  readonly reason: string | undefined;
  readonly location: string;
  readonly device: Device;
  readonly mode: RpfMode | undefined;
}
