import type { NativeConf, NativeRoute, NativeSurvey, NativeSurveyDevice } from '../../../src/native.js';
import { FakeAddon } from '../../fixtures/addon.js';

export const NODE = 100;
export const POD = 200;

export const conf = (values: Partial<NativeConf> = {}): NativeConf => ({
  rpFilter: 0,
  acceptLocal: 0,
  srcValidMark: 0,
  routeLocalnet: 0,
  forwarding: 1,
  ...values,
});

export function device(
  name: string,
  ifindex: number,
  values: Partial<NativeSurveyDevice> = {},
): NativeSurveyDevice {
  return {
    name,
    kind: 'veth',
    ifindex,
    flags: 0,
    type: 1,
    masterIfindex: 0,
    linkIfindex: 0,
    linkNetns: NODE,
    conf: conf(),
    ...values,
  };
}

export function survey(netns: number, values: Partial<NativeSurvey> = {}): NativeSurvey {
  return {
    netns,
    pid: 0,
    path: `/run/netns/n${netns}`,
    devices: [],
    addresses: [],
    all: conf(),
    defaults: conf(),
    ...values,
  };
}

export function address(ifindex: number, ip: string, prefixLength = 32): NativeSurvey['addresses'][number] {
  return { ifindex, ip, prefixLength, scope: 0 };
}

/** The incident: a pod on an unnumbered device, its network routed through cilium_host. */
export function incident(all: Partial<NativeConf> = {}, lxc: Partial<NativeConf> = {}): NativeSurvey[] {
  return [
    survey(NODE, {
      uplink: { ifindex: 2, outside: '203.0.113.1' },
      all: conf(all),
      devices: [
        device('eth0', 2, { kind: '' }),
        device('cilium_net', 3, { linkIfindex: 4 }),
        device('cilium_host', 4, { linkIfindex: 3 }),
        device('lxcabcd', 12, { linkIfindex: 2, linkNetns: POD, conf: conf(lxc) }),
      ],
      addresses: [address(2, '192.0.2.10', 24), address(4, '10.244.3.1')],
    }),
    survey(POD, {
      uplink: { ifindex: 2, outside: '203.0.113.1' },
      devices: [device('eth0', 2, { linkIfindex: 12 })],
      addresses: [address(2, '10.244.3.136')],
    }),
  ];
}

export const VIA_HOST: NativeRoute = {
  type: 1,
  table: 254,
  prefix: '10.244.3.0/24',
  device: 'cilium_host',
  ifindex: 4,
  hops: [4],
  hopCount: 1,
};
/** An addon that knows the node's routes; in the pod everything leaves by eth0. */
export function addonOf(surveys: NativeSurvey[], routes: Record<string, NativeRoute> = {}): FakeAddon {
  const addon = new FakeAddon();
  addon.surveys = surveys;
  const known: Record<string, NativeRoute> = { '10.244.3.136': VIA_HOST, ...routes };
  addon.routes = new Map(Object.entries(known));
  return addon;
}
