import { checkCause, checkEnd, checkLoss } from './checks.mjs';
import { quietly, type } from './command.mjs';
import { refused } from './machine.mjs';
import { say, show } from './report.mjs';

/**
 * One writer, from the moment at which all is well to the moment at which it is again: what rpftrace says of it is held against
 * what is known, its fix is run, and the kernel's own counter and the pod must say the same.
 */
export async function runRow({ words, newPod, setUp, write, expect }, { lab, tracer, pod: oldPod }) {
  say(words);
  const seen = tracer.events.length;
  const lost = refused();
  const tearDown = await setUp?.();
  const pod = newPod ? await newPod(lab) : oldPod;
  if (!newPod) await pod.talks();
  const sent = pod.sent;
  await write?.();
  if (newPod) await tracer.until((event) => event.name === expect.setting, 'no write is told', seen);
  if (newPod) pod.start();
  await pod.isMute();
  const id = await findIncident(tracer, seen);
  checkCause(tracer.latest(id), expect);
  checkLoss(tracer.latest(id), pod);
  for (const command of tracer.latest(id).fix) await type(command);
  await pod.talks();
  const closed = await tracer.until(
    (event) => event.id === id && event.state === 'closed',
    'it is not over',
    seen,
  );
  checkEnd(closed, pod.lostSince(sent), refused() - lost);
  if (newPod) pod.stop();
  await tearDown?.();
}

/** After a row that went wrong: as it was before. */
export async function restore() {
  await quietly('for device in all lxcabcd; do echo 0 > /proc/sys/net/ipv4/conf/$device/rp_filter; done');
}

/** Resolves to its id when it knows who did what to whom, and of more than the first packet; shows its sentence. */
async function findIncident(tracer, seen) {
  const isTold = ({ kind, state, cause, drops, pods }) =>
    kind === 'incident' && state !== 'closed' && cause.change && drops >= 20 && pods;
  const { id, summary } = await tracer.until(isTold, 'no incident is told', seen);
  show(`\n${summary}\n`);
  return id;
}
