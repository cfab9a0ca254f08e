import type { NativeSurvey } from '../native.js';
import { isDropped, judge, modeOf, type Settings } from './judge.js';
import type { Passage, Passages } from './passages.js';
import type { PodAddress, PodDevice } from './pod-devices.js';
import { describeRefusal, type RefusalOptions } from './refusal.js';
import type { PassageReport, PodReport } from './report.js';

/** An address behind a device and its ways, as they were found: what another setting would do can be tried on it. */
export interface Audited {
  readonly device: PodDevice;
  readonly survey: NativeSurvey;
  readonly address: PodAddress | undefined;
  readonly passages: readonly Passage[];
  readonly settings: Settings | undefined;
}

/** What a source of pods calls a pod. */
export interface PodName {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

export interface AuditOptions extends RefusalOptions {
  readonly nameOf: (device: PodDevice, ip: string | undefined) => PodName | undefined;
}

/** Follows every address behind every pod device along the ways that its packets take. */
export function auditAll(
  devices: readonly PodDevice[],
  surveys: readonly NativeSurvey[],
  passages: Passages,
): Audited[] {
  const byNetns = new Map(surveys.map((survey) => [survey.netns, survey]));
  return devices.flatMap((device): Audited[] => {
    const survey = byNetns.get(device.netns) as NativeSurvey;
    const common = { device, survey, settings: settingsOf(device, survey) };
    if (device.addresses.length === 0 || device.unknown !== undefined)
      return [{ ...common, address: device.addresses[0], passages: [] }];
    return device.addresses.map((address) => ({
      ...common,
      address,
      passages: passages.of(address.ip, survey),
    }));
  });
}

function settingsOf({ checked }: PodDevice, { all }: NativeSurvey): Settings | undefined {
  return all && checked.conf ? { all, device: checked.conf } : undefined;
}

/** What becomes of the pod's packets now, and what ends that. */
export function describePod(audited: Audited, options: AuditOptions): PodReport {
  const { device, address, settings } = audited;
  const name = options.nameOf(device, address?.ip);
  const passages = settings ? describePassages(audited, settings, options) : [];
  return {
    namespace: name?.namespace,
    name: name?.name,
    device: device.device.name,
    ifindex: device.device.ifindex,
    role: device.role,
    netns: device.netns,
    bridge: device.checked === device.device ? undefined : device.checked.name,
    peer_device: device.peer?.name,
    peer_netns: device.peerNetns,
    ip: address?.ip,
    ip_from: address?.from,
    unknown: whyUnknown(audited),
    mode: settings && modeOf(device, settings),
    would_drop: wouldDrop(passages),
    passages,
  };
}

function whyUnknown({ device, passages }: Audited): string | undefined {
  if (device.unknown !== undefined || passages.length > 0) return device.unknown;
  return 'there is no default route, and no address of this machine that its packets could be for';
}

/** Undefined outcomes say nothing; where there is no other, nothing is known. */
function wouldDrop(passages: readonly PassageReport[]): boolean | null {
  const known = passages.filter(({ outcome }) => outcome !== undefined);
  if (known.length === 0) return null;
  return known.some(({ outcome }) => outcome !== 'accepted');
}

function describePassages(
  { device, address, passages }: Audited,
  settings: Settings,
  options: AuditOptions,
): PassageReport[] {
  return passages.map((passage) => {
    const judgement = judge(device, passage, settings);
    const { to, dst } = passage;
    if (judgement.kind === 'unknown') return { to, dst, outcome_unknown: judgement.why };
    const { outcome } = judgement;
    if (!isDropped(judgement) || address === undefined) return { to, dst, outcome };
    return {
      to,
      dst,
      outcome,
      ...describeRefusal({ device, src: address.ip, passage, outcome, settings }, options),
    };
  });
}
