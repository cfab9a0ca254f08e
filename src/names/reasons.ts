import type { NativeAddon, NativeStats } from '../native.js';
import { REASON } from '../record/layout.gen.js';

/** The reason of ARP requests that the kernel does not answer because of their source: it drops them in silence. */
export const ARP_REFUSED = 'ARP_REFUSED';

/** Names of the drop reasons as the BTF of the running kernel has them, those of its subsystems included. */
export class ReasonNames {
  readonly #names: ReadonlyMap<number, string>;

  constructor(names: ReadonlyMap<number, string>) {
    this.#names = names;
  }

  /** Reads the kernel's BTF: some ten milliseconds. */
  static read(addon: NativeAddon): ReasonNames {
    const names = new ReasonNames(addon.reasons());
    const own = [...OWN_REASONS].filter(([, name]) => names.find(name) === undefined);
    return new ReasonNames(new Map([...names.#names, ...own]));
  }

  /** Names of the kernel's own reasons; empty on kernels before 5.17, which have none. */
  get all(): string[] {
    return [...this.#names.values()];
  }

  /** The name, or a form with the number in it that says whose number it is. */
  name(reason: number): string {
    return this.#names.get(reason) ?? nameUnknown(reason);
  }

  /** Finds a reason by its name, with or without SKB_DROP_REASON_, in any case. */
  find(name: string): number | undefined {
    const wanted = name.toUpperCase().replace(/^SKB_DROP_REASON_/, '');
    for (const [reason, known] of this.#names) {
      if (known.toUpperCase() === wanted) return reason;
    }
    return undefined;
  }
}

/** What no kernel calls so itself, native/include/rpf_record.h: IP_RPFILTER on those that have no such reason. */
const OWN_REASONS: ReadonlyMap<number, string> = new Map([
  [REASON.REASON_RPFILTER, 'IP_RPFILTER'],
  [REASON.REASON_ARP_REFUSED, ARP_REFUSED],
]);

/** The reasons of fib_validate_source() and of its caller, net/ipv4/route.c, v6.13; older kernels have the first only. And ARP's. */
export const REFUSED_SOURCE: readonly string[] = [
  'IP_RPFILTER',
  'IP_LOCAL_SOURCE',
  'IP_INVALID_SOURCE',
  'IP_LOCALNET',
  ARP_REFUSED,
];

/** The number that stands for IP_RPFILTER here; undefined where neither the kernel nor a hook tells it. */
export function reasonOfFilter(
  names: ReasonNames,
  { resultHook, kfreeSkbArguments }: Pick<NativeStats, 'resultHook' | 'kfreeSkbArguments'>,
): number | undefined {
  const reason = names.find('IP_RPFILTER');
  const isToldByKernel = reason !== REASON.REASON_RPFILTER && kfreeSkbArguments > 2;
  return isToldByKernel || resultHook !== undefined ? reason : undefined;
}

/** SKB_DROP_REASON_SUBSYS_SHIFT, include/net/dropreason.h (v6.5 and newer): the upper half is the subsystem. */
const SUBSYSTEM_SHIFT = 16;

function nameUnknown(reason: number): string {
  const subsystem = reason >>> SUBSYSTEM_SHIFT;
  return subsystem === 0 ? `REASON_${reason}` : `SUBSYS_${subsystem}_${reason & 0xffff}`;
}
