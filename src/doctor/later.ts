import { sysctlWords } from '../explain/fix.js';
import type { CommandPlace } from '../explain/namespace.js';
import { givenBy, type PersistedSetting, type Persistence } from '../explain/persist.js';
import { parseValue } from '../settings/value.js';
import type { Audited } from './audit.js';
import { isDropped, judge, type Settings } from './judge.js';
import { lineFix } from './line-fix.js';
import { keysOf } from './refusal.js';
import type { LaterReport } from './report.js';

export interface LaterOptions {
  /** The network namespace that files are applied to. */
  readonly netns: number;
  readonly persistence: (key: string) => Persistence;
  readonly place: (netns: number) => CommandPlace;
  /** Of the file system that the files are in. */
  readonly root: string;
}

export interface Later {
  readonly later: LaterReport[];
  readonly unknown: string | undefined;
}

/** What one place sets, and what that makes of the settings of a pod's device. */
interface Step {
  readonly scope: string;
  readonly setting: 'rp_filter' | 'forwarding';
  /** Undefined: the device is not concerned. */
  readonly apply: (settings: Settings, device: string, value: number) => Settings | undefined;
}

/** A line that would break something by one of the settings that it reaches. */
interface Finding {
  readonly line: PersistedSetting;
  readonly step: Step;
  readonly broken: readonly Audited[];
  /** What the setting may be instead. */
  readonly safe: number;
}

/**
 * What is accepted now and will be dropped when somebody sets what files say, or when a device is created: each value is tried
 * on every way that was found.
 */
export function findLater(audited: readonly Audited[], options: LaterOptions): Later {
  const pods = audited.filter(({ device, settings }) => device.netns === options.netns && settings);
  const asked = stepsFor(pods).map((step) => ({ step, ...askFiles(step, options) }));
  const unknown = [...new Set(asked.flatMap((one) => one.unknown))];
  const findings = asked.flatMap(({ step, lines }) =>
    lines.flatMap((line) => tryLine(line, step, pods) ?? []),
  );
  return {
    later: [...newDevices(audited, options), ...byLine(findings).map((group) => fromLine(group, options))],
    unknown: unknown.length > 0 ? unknown.slice(0, MAX_UNKNOWN).join('; ') : undefined,
  };
}

function stepsFor(pods: readonly Audited[]): Step[] {
  if (pods.length === 0) return [];
  const names = [...new Set(pods.map(({ device }) => device.checked.name))];
  return [
    { scope: 'all', setting: 'rp_filter', apply: withAll },
    { scope: 'default', setting: 'rp_filter', apply: withDevice },
    { scope: 'all', setting: 'forwarding', apply: withForwarding },
    ...names.map((name) => ({
      scope: name,
      setting: 'rp_filter' as const,
      apply: (settings: Settings, device: string, value: number) =>
        device === name ? withDevice(settings, device, value) : undefined,
    })),
  ];
}

function withAll(settings: Settings, _device: string, rpFilter: number): Settings {
  return { ...settings, all: { ...settings.all, rpFilter } };
}

function withDevice(settings: Settings, _device: string, rpFilter: number): Settings {
  return { ...settings, device: { ...settings.device, rpFilter } };
}

/** It is passed on to all devices (net/ipv4/devinet.c, inet_forward_change). */
function withForwarding(settings: Settings, _device: string, forwarding: number): Settings {
  return { ...settings, device: { ...settings.device, forwarding } };
}

function askFiles({ scope, setting }: Step, { persistence }: LaterOptions): Persistence {
  const answers = keysOf(scope, setting).map(persistence);
  return { lines: answers.flatMap(({ lines }) => lines), unknown: answers.flatMap(({ unknown }) => unknown) };
}

function tryLine(line: PersistedSetting, step: Step, pods: readonly Audited[]): Finding | undefined {
  const value = parseValue(givenBy(line));
  const broken = value === undefined ? [] : brokenBy(pods, step, value);
  if (broken.length === 0) return undefined;
  return { line, step, broken, safe: step.setting === 'forwarding' ? 1 : safestValue(pods, step) };
}

/** A line with a pattern reaches many settings. */
function byLine(findings: readonly Finding[]): Finding[][] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const { file, line, by } = finding.line;
    const key = `${by} ${file}:${line}`;
    const group = groups.get(key);
    if (group) group.push(finding);
    else groups.set(key, [finding]);
  }
  return [...groups.values()];
}

function fromLine(group: readonly Finding[], { netns, root }: LaterOptions): LaterReport {
  const { line } = group[0] as Finding;
  const isForNew = group.some(({ step }) => step.scope === 'default');
  const isForAll = group.some(({ step }) => step.scope !== 'default');
  return {
    when: isForAll ? WHEN[line.by] : 'new_device',
    netns,
    key: line.key,
    value: line.value,
    file: line.file,
    line: line.line,
    by: line.by,
    ...devicesOf(group.flatMap(({ broken }) => broken)),
    explanation: `${line.file}:${line.line} sets ${line.key} to ${line.value} ${MOMENTS[line.by]}${isForNew ? ', and new devices begin with it' : ''}`,
    ...lineFix(
      line,
      group.map(({ step, safe, broken }) => ({
        scope: step.scope,
        setting: step.setting,
        value: safe,
        role: broken[0]?.device.role ?? 'unknown',
      })),
      root,
    ),
  };
}

/** What a device begins with that is created from now on. The devices that are there stand for it. */
function newDevices(audited: readonly Audited[], { place }: LaterOptions): LaterReport[] {
  const known = audited.filter(({ settings }) => settings);
  const namespaces = [...new Set(known.map(({ device }) => device.netns))];
  return namespaces.flatMap((netns) => {
    const pods = known.filter(({ device }) => device.netns === netns);
    const defaults = pods[0]?.survey.defaults;
    if (defaults === undefined) return [];
    const steps: [Step, number][] = [
      [{ scope: 'default', setting: 'rp_filter', apply: withDevice }, defaults.rpFilter],
      [{ scope: 'default', setting: 'forwarding', apply: withForwarding }, defaults.forwarding],
    ];
    return steps.flatMap(([step, value]) => fromDefault(netns, pods, step, value, place(netns)) ?? []);
  });
}

function fromDefault(
  netns: number,
  pods: readonly Audited[],
  step: Step,
  value: number,
  { command, where }: CommandPlace,
): LaterReport | undefined {
  const broken = brokenBy(pods, step, value);
  if (broken.length === 0) return undefined;
  const safe = step.setting === 'forwarding' ? 1 : safestValue(pods, step);
  const key = `net.ipv4.conf.default.${step.setting}`;
  return {
    when: 'new_device',
    netns,
    key,
    value: String(value),
    ...devicesOf(broken),
    explanation: `${key} is ${value}: a device that is created from now on begins with it`,
    fix: [command(sysctlWords([{ scope: 'default', setting: step.setting, value: safe }]))],
    fix_where: where,
  };
}

/** Loose mode where that is enough. */
function safestValue(pods: readonly Audited[], step: Step): number {
  return brokenBy(pods, step, LOOSE).length === 0 ? LOOSE : 0;
}

/** Those whose packets would be dropped on a way on which they are not now. */
function brokenBy(pods: readonly Audited[], step: Step, value: number): Audited[] {
  return pods.filter(({ device, passages, settings }) => {
    const then = settings && step.apply(settings, device.checked.name, value);
    if (settings === undefined || then === undefined) return false;
    return passages.some(
      (passage) => isDropped(judge(device, passage, then)) && !isDropped(judge(device, passage, settings)),
    );
  });
}

function devicesOf(broken: readonly Audited[]): Pick<LaterReport, 'devices' | 'devices_count'> {
  const names = [...new Set(broken.map(({ device }) => device.device.name))];
  return { devices: names.slice(0, MAX_DEVICES), devices_count: names.length };
}

const LOOSE = 2;
const MAX_DEVICES = 16;
const MAX_UNKNOWN = 4;

const WHEN: Readonly<Record<PersistedSetting['by'], LaterReport['when']>> = {
  sysctl: 'sysctl_run',
  cilium: 'sysctl_run',
  tuned: 'tuned_start',
  networkd: 'network_setup',
  networkmanager: 'network_setup',
};

const MOMENTS: Readonly<Record<PersistedSetting['by'], string>> = {
  sysctl: 'when systemd-sysctl or sysctl --system runs, and at boot',
  cilium: 'when systemd-sysctl or sysctl --system runs, and at boot',
  tuned: 'when tuned starts or gets another profile, and at boot',
  networkd: 'when systemd-networkd sets the device up, and at boot',
  networkmanager: 'when NetworkManager runs its dispatcher scripts',
};
