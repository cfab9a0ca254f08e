import type { Device, DropEvent, Peer, PodMember, Rpf } from '../events.js';
import { printable } from '../printable.js';

/** "IP_RPFILTER at ip_rcv_finish_core+0x25b" */
export function reasonText({ reason, reason_unknown, location }: DropEvent): string {
  const what = reason ?? `no reason: ${reason_unknown}`;
  return location === undefined ? what : `${what} at ${location}`;
}

/** "from pod qfusion-admin/mssql-0, the other end is service default/kubernetes"; undefined where nothing is known. */
export function podText({ pod, pod_unknown, peer }: DropEvent): string | undefined {
  if (pod === undefined) return pod_unknown && `pod unknown: ${pod_unknown}`;
  const direction = pod.direction?.replace('_', ' ') ?? 'pod';
  return `${direction} ${fullName(pod)}${peerText(peer)}${conflictText(pod.conflict)}`;
}

/** "unnumbered_mismatch: 10.244.3.136 arrived on lxcabcd, but ..." */
export function rpfText({ verdict, verdict_unknown, confidence, explanation }: Rpf): string {
  const sure = confidence && confidence !== 'certain' ? ` (${confidence})` : '';
  const head = verdict ? `${verdict}${sure}` : `verdict unknown: ${verdict_unknown}`;
  return explanation === undefined ? head : `${head}: ${explanation}`;
}

/** What a device is, without its name: "cilium_lxc, veth, network namespace 4026531833". */
export function deviceText({ role, kind, netns, master, peer_name }: Device): string {
  const parts = [
    role,
    kind !== role && kind,
    master && `part of ${master}`,
    peer_name && `peer ${peer_name}`,
    netns !== undefined && `network namespace ${netns}`,
  ];
  return printable(parts.filter(Boolean).join(', '));
}

function peerText(peer: Peer | undefined): string {
  return peer?.name === undefined ? '' : `, the other end is ${peer.kind} ${fullName(peer)}`;
}

function conflictText(conflict: PodMember['conflict']): string {
  return conflict ? `, but the ${conflict.kind} is that of another pod: ${fullName(conflict)}` : '';
}

function fullName({
  namespace,
  name,
}: {
  namespace?: string | undefined;
  name?: string | undefined;
}): string {
  return [namespace, name ?? 'unknown'].filter(Boolean).join('/');
}
