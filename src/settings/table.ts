import { combine } from './value.js';

/** How the effective value of a device changed. */
export interface Effect {
  readonly old: number;
  readonly new: number;
}

/** By device. `default` stands for the devices that are still to come. */
export type Effects = ReadonlyMap<string, Effect>;

/** The values of one setting: of `all`, `default` and every device. */
export type Values = Map<string, number>;

/** One setting of one network namespace as far as it is known. */
export class SettingTable {
  readonly #setting: string;
  readonly values: Values;

  constructor(setting: string, values: ReadonlyMap<string, number>) {
    this.#setting = setting;
    this.values = new Map(values);
  }

  /** To try out what a write would do. */
  copy(): SettingTable {
    return new SettingTable(this.#setting, this.values);
  }

  /** Of a device, or of `default`; undefined where the device is not known. */
  effective(device: string): number | undefined {
    const own = this.values.get(device);
    return own === undefined ? undefined : combine(this.#setting, this.values.get('all') ?? 0, own);
  }

  /** Takes over values and returns whose effective value that changed. New devices have none before: they are not told. */
  set(changes: ReadonlyMap<string, number>): Map<string, Effect> {
    const before = new Map([...this.values.keys()].map((device) => [device, this.effective(device)]));
    for (const [device, value] of changes) this.values.set(device, value);
    const effects = new Map<string, Effect>();
    for (const [device, old] of before) {
      const now = this.effective(device);
      if (device !== 'all' && old !== undefined && now !== undefined && old !== now)
        effects.set(device, { old, new: now });
    }
    return effects;
  }

  /**
   * What a write does beside the value that it is made to. `forwarding` of all is passed on to all devices; that of
   * `default` to those whose own value nobody has set, which only reading them tells (net/ipv4/devinet.c, v6.18).
   */
  write(device: string, value: number): Map<string, Effect> {
    const passesOn = this.#setting === 'forwarding' && device === 'all';
    const written = passesOn ? [...this.values.keys()] : [device];
    return this.set(new Map(written.map((one) => [one, value])));
  }
}
