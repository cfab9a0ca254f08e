import { isIP } from 'node:net';
import type { Interface } from '../../source.js';

/**
 * The interfaces that CNI plugins made for a pod, from the result that the runtime keeps: containerd's words (go-cni:
 * Interfaces by name with IPConfigs) or the plugins' (interfaces, and ips that point at them). `ips` are those that the runtime
 * tells of the pod itself: the only ones where there is no result.
 */
export function interfacesOf(result: Readonly<Record<string, unknown>>, ips: readonly string[]): Interface[] {
  const devices = ('Interfaces' in result ? fromContainerd(result) : fromPlugins(result)).slice(
    0,
    MAX_DEVICES,
  );
  const inPod = devices.filter(({ name, sandbox }) => sandbox !== '' && name !== 'lo');
  const onHost = podEnds(devices.filter(({ sandbox }) => sandbox === '').map(({ name }) => name));
  const known = new Set(inPod.flatMap((device) => device.ips));
  const others = ips.filter((ip) => !known.has(ip));
  const first = { ips: [...others, ...(inPod[0]?.ips ?? [])], podDevice: inPod[0]?.name };
  const interfaces = [first, ...inPod.slice(1).map(({ name, ips: own }) => ({ ips: own, podDevice: name }))];
  // Nothing says which end belongs to which, but with one of each it is plain.
  if (interfaces.length === 1 && onHost.length === 1) return [{ ...first, hostDevice: onHost[0] }];
  return [...interfaces, ...onHost.map((hostDevice) => ({ ips: [], hostDevice }))];
}

/** Multus makes a handful. */
const MAX_DEVICES = 64;

interface CniDevice {
  readonly name: string;
  /** Path of the network namespace that it is in; '' on the host. */
  readonly sandbox: string;
  readonly ips: readonly string[];
}

/** The bridge plugin tells of its bridge too, which all pods share. */
function podEnds(names: readonly string[]): readonly string[] {
  return names.length > 1
    ? names.filter((name) => !/^(cni\d|cbr\d|br|docker|podman|kube-bridge)/.test(name))
    : names;
}

function fromContainerd({ Interfaces }: Readonly<Record<string, unknown>>): CniDevice[] {
  return Object.entries(objectIn(Interfaces)).map(([name, value]) => {
    const { Sandbox, IPConfigs } = objectIn(value);
    const ips = Array.isArray(IPConfigs) ? IPConfigs.map((config) => addressIn(objectIn(config).IP)) : [];
    return { name, sandbox: stringIn(Sandbox), ips: ips.filter((ip) => ip !== '') };
  });
}

function fromPlugins({ interfaces, ips }: Readonly<Record<string, unknown>>): CniDevice[] {
  const addresses = Array.isArray(ips) ? ips.map(objectIn) : [];
  return (Array.isArray(interfaces) ? interfaces : []).map((value, at) => {
    const { name, sandbox } = objectIn(value);
    const own = addresses.filter((ip) => ip.interface === at).map(({ address }) => addressIn(address));
    return { name: stringIn(name), sandbox: stringIn(sandbox), ips: own.filter((ip) => ip !== '') };
  });
}

/** Without the prefix length; '' when it is none. */
function addressIn(value: unknown): string {
  const address = stringIn(value).split('/')[0] ?? '';
  return isIP(address) === 0 ? '' : address;
}

function stringIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
