/**
 * One of the processes that hold the agents of bench/scale.mjs. Told by messages what to do:
 * {rate}: events a second that each tells; {leave}, {comeBack}: how many; {past: {events, seconds}}: what each has told before;
 * {count}: asks for what was told.
 */
import { readFileSync } from 'node:fs';
import { Agents } from './agents.mjs';

const REST = exampleOfDrop();

const [first, count] = process.argv.slice(2).map(Number);
const server = await new Agents().listen();
const agents = Array.from({ length: count }, (_, index) =>
  server.add(`node-${String(first + index).padStart(5, '0')}`, { history: 400 }),
);
const pacer = { rate: 0, owed: 0, next: 0, sinceMs: performance.now() };

setInterval(() => {
  const nowMs = performance.now();
  pacer.owed += ((nowMs - pacer.sinceMs) / 1000) * pacer.rate * agents.length;
  pacer.sinceMs = nowMs;
  for (; pacer.owed >= 1; pacer.owed--) tell(agents[pacer.next++ % agents.length]);
}, 20);

process.on('message', ({ rate, leave, comeBack, past, count: isAsked }) => {
  if (rate !== undefined) pacer.rate = rate;
  for (const agent of agents.slice(0, leave ?? 0)) agent.leave();
  for (const agent of agents.slice(0, comeBack ?? 0)) agent.comeBack();
  if (past) for (const [index, agent] of agents.entries()) remember(agent, past, index / agents.length);
  if (isAsked) process.send({ told: agents.reduce((sum, agent) => sum + agent.told, 0) });
});
process.on('disconnect', () => process.exit());
process.send({ urls: agents.map((agent) => server.urlOf(agent)) });

/** A drop as one of a flow in an incident is told: with its time, its node and its incident. */
function tell(agent, nowMs = performance.timeOrigin + performance.now()) {
  const ns = String(Math.floor((nowMs % 1000) * 1e6)).padStart(9, '0');
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}.${ns}Z`;
  agent.tellText(`{"v":1,"kind":"drop","time":"${time}","node":"${agent.node}"${REST}`);
}

/** Has an agent tell of so many seconds before now; `shift`: of the time between two events, as not all tell at once. */
function remember(agent, { events, seconds }, shift) {
  const stepMs = (seconds * 1000) / events;
  const endMs = performance.timeOrigin + performance.now();
  for (let left = events; left > 0; left--) tell(agent, endMs - (left - shift) * stepMs);
}

/** The drop that docs/events.md shows, from its count on. */
function exampleOfDrop() {
  const text = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const [, example] = /```json\n(\{"v":1,"kind":"drop"[\s\S]*?)```/.exec(text);
  const { v, kind, time, node, ...rest } = JSON.parse(example);
  return `,${JSON.stringify(rest).slice(1)}`;
}
