import { quietly } from './command.mjs';
import { Pod } from './pod.mjs';

const NETNS = 'incident-newcomer';
const DEVICE = 'lxc7d1a';
const ADDRESS = '10.244.3.138';

/** What a CNI plugin does for a pod: a device pair, addresses, routes, and rp_filter off, as Cilium has it. It says nothing yet. */
export async function newPod(lab) {
  await quietly(`
    set -e
    ip netns add ${NETNS}
    ip link add ${DEVICE} address 0e:00:0a:f4:03:01 type veth peer name eth0 netns ${NETNS} address 0e:00:0a:f4:03:01
    echo 0 > /proc/sys/net/ipv4/conf/${DEVICE}/rp_filter
    ip link set ${DEVICE} up
    ip -n ${NETNS} link set eth0 arp off up
    ip -n ${NETNS} address add ${ADDRESS}/32 dev eth0
    ip -n ${NETNS} route add default dev eth0`);
  const pod = { id: 1235, namespace: 'qfusion-admin', name: 'web-0', address: ADDRESS, device: DEVICE };
  return new Pod(lab, { netns: NETNS, port: 1434, ...pod });
}
