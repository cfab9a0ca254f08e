import { follow } from '../attach/follow.js';
import { type PlaceOpener, placeOpener } from '../attach/open-place.js';
import type { Credentials, Place } from '../attach/place.js';
import type { Question } from '../attach/question.js';
import { parseTarget, type Target } from '../attach/target.js';
import { tokenReader } from '../attach/token.js';
import { TracerError } from '../errors.js';
import { isLoopback } from '../serve/http/address.js';
import type { AttachOptions } from './attach-options.js';
import { StateTeller } from './attach-state.js';
import type { Reading } from './reading.js';
import { note } from './say.js';

/** `signal` ends whatever it opens. Throws a TracerError. */
export async function openReading(
  texts: readonly string[],
  options: AttachOptions,
  signal: AbortSignal,
): Promise<Reading> {
  const credentials = credentialsOf(options);
  const open = placeOpener(credentials, signal);
  const question = questionOf(options);
  if (options.allNodes || texts.length > 1) {
    checkMany(texts, options);
    const { openMany } = await import('./attach-many.js');
    const places = await Promise.all(texts.map((text) => placeOf(parseTarget(text), credentials, open)));
    return openMany({ places, question, credentials, options });
  }
  return one(await placeOf(parseTarget(texts[0]), credentials, open), question, options);
}

function one(place: Place, question: Question, { reconnect }: AttachOptions): Reading {
  return {
    summary: [],
    run: ({ onConnected, ...options }) => {
      const teller = new StateTeller(place, options.signal);
      return follow(place, question, {
        ...options,
        reconnect,
        onState: (state) => {
          if (state.kind === 'connected') onConnected();
          teller.tell(state);
        },
      });
    },
  };
}

function checkMany(texts: readonly string[], { allNodes, reconnect, last }: AttachOptions): void {
  if (allNodes && texts.length > 0)
    throw new TracerError('E_USAGE', '--all-nodes finds its places itself: name none', {
      remedies: ['say where they are: --agents-namespace NS --agents-selector TEXT'],
    });
  if (new Set(texts).size < texts.length)
    throw new TracerError('E_USAGE', 'a place is named twice: its events would come twice');
  if (!reconnect) throw new TracerError('E_USAGE', '--no-reconnect is for one server');
  if (last !== undefined) throw new TracerError('E_USAGE', '--last is for one server: give --since');
}

function credentialsOf({ tokenFile, tlsCa, tlsServerName, kubeconfig, context }: AttachOptions): Credentials {
  const token = tokenReader({ file: tokenFile, environment: process.env.RPFTRACE_TOKEN });
  return { token, tlsCa, tlsServerName, kubernetes: { kubeconfig, context } };
}

async function placeOf(target: Target, credentials: Credentials, open: PlaceOpener): Promise<Place> {
  if (
    target.kind === 'http' &&
    !target.isTls &&
    credentials.token() !== undefined &&
    !isLoopback({ ...target, kind: 'tcp' })
  )
    note('the token travels in clear: use https:// where others can listen');
  return await open(target);
}

function questionOf(options: AttachOptions): Question {
  const { since, last, follow, kind, reason, device, netns, namespace, pod, selector, rpfOnly } = options;
  return {
    ...{ since, last, follow },
    filters: {
      ...{ kind, reason, device, netns, namespace, pod },
      ...(selector !== undefined && { selector }),
      ...(rpfOnly && { rpf_only: 'true' }),
    },
  };
}
