/** Names kernel text addresses, each once. */
export class Locations {
  readonly #symbol: (address: bigint) => string | undefined;
  readonly #names = new Map<bigint, string>();

  constructor(symbol: (address: bigint) => string | undefined) {
    this.#symbol = symbol;
  }

  /** "symbol+0xoffset", or the address where the kernel does not give the symbol. */
  name(address: bigint): string {
    const known = this.#names.get(address);
    if (known !== undefined) return known;
    const name = this.#symbol(address) ?? `0x${address.toString(16).padStart(16, '0')}`;
    // Places that free packets are some hundreds; more can only be garbage, and modules that come and go.
    if (this.#names.size === MAX_LOCATIONS) this.#names.clear();
    this.#names.set(address, name);
    return name;
  }
}

const MAX_LOCATIONS = 4096;
