/**
 * The integer that the kernel makes of a text that is written, as proc_dointvec() does: decimal, hexadecimal or octal, white
 * space around it (kernel/sysctl.c, v6.18). Undefined where it refuses the text.
 */
export function parseValue(text: string): number | undefined {
  const [, sign, digits] = /^[ \t\n]*(-?)(0[xX][0-9a-fA-F]+|\d+)(?:[ \t\n]|$)/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const isOctal = /^0\d/.test(digits);
  if (isOctal && /[89]/.test(digits)) return undefined;
  const size = isOctal ? Number.parseInt(digits, 8) : Number(digits);
  const value = sign === '-' ? -size : size;
  return value > INT_MAX || value < -INT_MAX - 1 ? undefined : value + 0;
}

/**
 * What the kernel makes of the values of `all` and of a device: IN_DEV_MAXCONF, IN_DEV_ORCONF, IN_DEV_CONF_GET
 * (include/linux/inetdevice.h, v6.18).
 */
export function combine(setting: string, all: number, device: number): number {
  if (setting === 'rp_filter') return Math.max(all, device);
  if (setting === 'forwarding') return device;
  return all !== 0 || device !== 0 ? 1 : 0;
}

const INT_MAX = 0x7fff_ffff;
