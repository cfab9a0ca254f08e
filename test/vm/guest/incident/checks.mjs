import { check } from './report.mjs';

/** Who set what, and where from. */
export function checkCause({ cause, persisted = [] }, expect) {
  const { change } = cause;
  const set = `${expect.setting} ${expect.old ?? 0} -> ${expect.new ?? 1}`;
  check('what was set', `${change.name} ${change.old} -> ${change.new}`, set);
  if (expect.unknown) check('who set it', change.writer_unknown, (why) => expect.unknown.test(why));
  else checkWriter(change.writer, expect);
  if (expect.file) checkFile(persisted, expect);
}

function checkWriter({ comm, cmdline, systemd_unit, container_id, parents }, expect) {
  check('its process', comm, expect.comm);
  check('its command line', cmdline?.join(' '), (line) => expect.cmdline.test(line));
  if (expect.unit) check('its unit', systemd_unit, expect.unit);
  if (expect.container) check('its container', container_id, expect.container);
  const names = parents.map(({ comm }) => comm);
  if (expect.parent) check('its parents', names.join(', '), (text) => text.includes(expect.parent));
}

/** The line that the writer read; where that is on its command line, the one that has the command. */
function checkFile(persisted, { file, isRead = true }) {
  const line = isRead ? persisted.find(({ read_by_writer }) => read_by_writer) : persisted[0];
  const place = line && `${line.file}:${line.line}`;
  check(isRead ? 'the line that it read' : 'the line that it is from', place, (text) =>
    text?.startsWith(file),
  );
}

/** Whose packets, how soon, and what to do. */
export function checkLoss({ pods, devices, seconds_to_first_drop, fix, cause }, pod) {
  check('the pod that lost packets', pods, [pod.name]);
  check('its device', devices, [pod.device]);
  check('seconds between', seconds_to_first_drop, (seconds) => seconds >= 0 && seconds < MAX_SECONDS);
  check('what ends it', fix, [`sysctl -w ${cause.change.name}=${cause.change.old}`]);
}

/** The pod sends twenty packets a second, on a busy machine fewer. */
const MAX_SECONDS = 10;

/** All three count on their own. */
export function checkEnd({ drops, closed_by, fix }, lost, refused) {
  check(
    'lost by the pod, refused by the kernel, told by rpftrace',
    [lost, refused, drops],
    [lost, lost, lost],
  );
  check('what ended it', closed_by?.change?.writer?.comm, 'sysctl');
  check('what is still to be done', fix, []);
}
