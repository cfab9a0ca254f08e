/** A setting of a device, of `all`, or of `default`. */
export interface SettingName {
  readonly device: string;
  readonly setting: string;
}

/** Takes apart a path below /proc/sys. Undefined for a setting that belongs to no device. */
export function parseSettingPath(path: string): SettingName | undefined {
  if (path === IP_FORWARD) return { device: 'all', setting: 'ip_forward' };
  const [, device, setting] = /^net\/ipv4\/conf\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  return device === undefined || setting === undefined ? undefined : { device, setting };
}

/** The name as sysctl(8) takes it: a dot in the name of a device becomes a slash. */
export function settingName({ device, setting }: SettingName): string {
  if (setting === 'ip_forward') return 'net.ipv4.ip_forward';
  return `net.ipv4.conf.${device.replaceAll('.', '/')}.${setting}`;
}

/** Where its value is kept: net.ipv4.ip_forward is another name of conf.all.forwarding (devinet.c, v6.18). */
export function storedAs(setting: string): string {
  return setting === 'ip_forward' ? 'forwarding' : setting;
}

/** The settings that decide about a source address and are watched; native/bpf/sysctl.h. */
export const WATCHED_SETTINGS = [
  'rp_filter',
  'accept_local',
  'src_valid_mark',
  'route_localnet',
  'forwarding',
  'log_martians',
] as const;

const IP_FORWARD = 'net/ipv4/ip_forward';
