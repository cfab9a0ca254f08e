import type { Interface } from '../../source.js';
import { addressesIn } from '../address.js';
import { arrayIn, type Json, objectIn, stringIn } from '../json.js';

/**
 * The interfaces that CNI plugins made for a pod, from the result that the runtime keeps: containerd's words (go-cni:
 * Interfaces by name with IPConfigs) or the plugins' (interfaces, and ips that point at them). `ips` are those that the runtime
 * tells of the pod itself: the only ones where there is no result.
 */
export function interfacesOf(result: Json, ips: readonly string[]): Interface[] {
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

function fromContainerd({ Interfaces }: Json): CniDevice[] {
  return Object.entries(objectIn(Interfaces)).map(([name, value]) => {
    const { Sandbox, IPConfigs } = objectIn(value);
    const ips = addressesIn(arrayIn(IPConfigs).map((config) => objectIn(config).IP));
    return { name, sandbox: stringIn(Sandbox) ?? '', ips };
  });
}

function fromPlugins({ interfaces, ips }: Json): CniDevice[] {
  const addresses = arrayIn(ips).map(objectIn);
  return arrayIn(interfaces).map((value, at) => {
    const { name, sandbox } = objectIn(value);
    const own = addresses.filter((ip) => ip.interface === at).map(({ address }) => address);
    return { name: stringIn(name) ?? '', sandbox: stringIn(sandbox) ?? '', ips: addressesIn(own) };
  });
}
