import type { Outcome } from '../explain/check.js';
import { routeMembers } from '../explain/explain.js';
import { type Assignment, type Cure, findCure, settingKey, sysctlWords } from '../explain/fix.js';
import type { CommandPlace } from '../explain/namespace.js';
import { givenBy, type Persistence } from '../explain/persist.js';
import { sentence } from '../explain/sentence.js';
import { modeOf, type Settings, stateOf, switchOf } from './judge.js';
import type { Passage } from './passages.js';
import type { PodDevice } from './pod-devices.js';
import type { PassageReport } from './report.js';

/** A packet that the kernel would not let through. */
export interface Refusal {
  readonly device: PodDevice;
  readonly src: string;
  readonly passage: Passage;
  readonly outcome: Outcome | 'not_forwarded';
  readonly settings: Settings;
}

export interface RefusalOptions {
  /** Where commands for a network namespace have to run. */
  readonly place: (netns: number) => CommandPlace;
  /** The lines of files that set these keys; undefined where files are not applied to this network namespace. */
  readonly persistence: (netns: number, key: string) => Persistence | undefined;
}

type Described = Omit<PassageReport, 'to' | 'dst' | 'outcome' | 'outcome_unknown'>;

/** Why it is refused, what ends that, and what undoes the remedy. */
export function describeRefusal(refusal: Refusal, options: RefusalOptions): Described {
  const { device, outcome, passage } = refusal;
  const place = options.place(device.netns);
  const { fix, fix_unknown, settings } = cureOf(refusal, place);
  return {
    ...(outcome === 'not_forwarded' ? {} : routeMembers(passage.evidence.route)),
    explanation: explain(refusal),
    fix: fix && [...fix],
    fix_unknown,
    fix_where: fix && place.where,
    ...undoing(device.netns, settings, options),
  };
}

function cureOf({ device, src, passage, outcome, settings }: Refusal, place: CommandPlace): Cure {
  if (outcome === 'accepted') return { settings: [] };
  if (outcome === 'not_forwarded') return forwarding(place);
  const { route, customRules } = passage.evidence;
  return findCure(
    {
      verdict: outcome,
      isByFilter: BY_FILTER.has(outcome),
      src,
      device: device.checked.name,
      isPodDevice: device.checked === device.device,
      state: stateOf(device, settings, customRules),
      srcValidMark: switchOf(settings.all.srcValidMark, settings.device.srcValidMark),
      route,
      routeWithoutMark: undefined,
    },
    place,
  );
}

/** Answers come in by other devices: that of the pod alone is not enough. */
function forwarding(place: CommandPlace): Cure {
  const settings = [{ scope: 'all', setting: 'forwarding', value: 1 }];
  return { fix: [place.command(sysctlWords(settings))], settings };
}

function undoing(
  netns: number,
  settings: readonly Assignment[],
  { persistence }: RefusalOptions,
): Pick<Described, 'persisted' | 'persisted_unknown'> {
  const found = settings.flatMap(({ scope, setting, value }) =>
    keysOf(scope, setting).flatMap((key) => {
      const { lines, unknown } = persistence(netns, key) ?? NOTHING;
      return [{ lines: lines.filter((line) => givenBy(line) !== String(value)), unknown }];
    }),
  );
  const persisted = found.flatMap(({ lines }) => lines).map((line) => ({ ...line }));
  const unknown = [...new Set(found.flatMap((one) => one.unknown))];
  return {
    ...(persisted.length > 0 && { persisted }),
    ...(unknown.length > 0 && { persisted_unknown: unknown.slice(0, MAX_UNKNOWN).join('; ') }),
  };
}

/** net.ipv4.ip_forward is another name of conf.all.forwarding. */
export function keysOf(scope: string, setting: string): string[] {
  const key = settingKey(scope, setting);
  return scope === 'all' && setting === 'forwarding' ? [key, 'net.ipv4.ip_forward'] : [key];
}

function explain({ device, src, passage, outcome, settings }: Refusal): string | undefined {
  const { name } = device.checked;
  if (outcome === 'accepted') return undefined;
  if (outcome === 'not_forwarded')
    return `${name}.forwarding is 0: what is not for this machine is refused before its source is looked at`;
  const { route, customRules } = passage.evidence;
  const facts = {
    reason: undefined,
    hasSourceReasons: true,
    location: '',
    mode: modeOf(device, settings),
    packet: { src, dst: passage.dst, mark: 0 },
    route,
    state: stateOf(device, settings, customRules),
  };
  return sentence(facts, { verdict: outcome }, name, 'would arrive');
}

const BY_FILTER: ReadonlySet<Outcome> = new Set([
  'strict_mismatch',
  'unnumbered_mismatch',
  'no_reverse_route',
]);
const NOTHING: Persistence = { lines: [], unknown: [] };
const MAX_UNKNOWN = 4;
