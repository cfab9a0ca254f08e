import { type Ailment, type Assignment, afterwards, curesOf, isCured } from '../explain/fix.js';

/** What ends the drops of an incident. */
export interface Remedy {
  /** All of them are needed. */
  readonly settings: readonly Assignment[];
  /** They only undo what the culprit did. */
  readonly isSetBack: boolean;
  /** Why there are none. */
  readonly unknown?: string;
}

/**
 * The settings that end the drops of an incident, each tried on the model of the kernel for every refusal in it: to set the
 * culprit's change back, where that is enough; else what cures each drop by itself. `back` is the value before the change.
 */
export function findRemedy(ailments: readonly Ailment[], back: Assignment | undefined): Remedy {
  if (ailments.length === 0) return none('what the kernel would do with other settings is not known');
  if (areCured(ailments, []))
    return none('with the settings as they are by now the kernel lets these sources in');
  if (back && areCured(ailments, [back])) return { settings: [back], isSetBack: true };
  // A device that is still to come takes over what is written to default.
  const first = back?.scope === 'default' ? [back] : [];
  const settings = cureAll(ailments, first);
  if (settings === undefined) return none('no setting is proven to end all of these drops');
  if (settings.length > MAX_SETTINGS) return none(`more than ${MAX_SETTINGS} settings would have to change`);
  return { settings, isSetBack: false };
}

/**
 * One after the other gets what it still needs, and again what another one's settings took from it. Undefined where that
 * comes to no end.
 */
function cureAll(ailments: readonly Ailment[], first: readonly Assignment[]): Assignment[] | undefined {
  const settings = new Map<string, Assignment>();
  const set = (one: Assignment) => settings.set(`${one.scope}/${one.setting}`, one);
  first.forEach(set);
  for (const ailment of Array.from({ length: MAX_ROUNDS }, () => ailments).flat()) {
    const rest = afterwards(ailment, settings.values());
    if (isCured(rest)) continue;
    const [cure] = curesOf(rest);
    if (cure === undefined) return undefined;
    cure.forEach(set);
    if (settings.size > MAX_SETTINGS) break;
  }
  const found = [...settings.values()];
  return found.length > MAX_SETTINGS || areCured(ailments, found) ? found : undefined;
}

function areCured(ailments: readonly Ailment[], settings: readonly Assignment[]): boolean {
  return ailments.every((ailment) => isCured(afterwards(ailment, settings)));
}

function none(unknown: string): Remedy {
  return { settings: [], isSetBack: false, unknown };
}

/** A command line that a person would still paste. */
const MAX_SETTINGS = 64;
const MAX_ROUNDS = 4;
