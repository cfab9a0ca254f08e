/**
 * One of the processes that hold the agents of bench/scale.mjs. Told by messages what to do:
 * {rate}: events a second that each tells; {leave}, {comeBack}: how many; {count}: asks for what was told.
 */
import { Agents } from './agents.mjs';

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

process.on('message', ({ rate, leave, comeBack, count: isAsked }) => {
  if (rate !== undefined) pacer.rate = rate;
  for (const agent of agents.slice(0, leave ?? 0)) agent.leave();
  for (const agent of agents.slice(0, comeBack ?? 0)) agent.comeBack();
  if (isAsked) process.send({ told: agents.reduce((sum, agent) => sum + agent.told, 0) });
});
process.on('disconnect', () => process.exit());
process.send({ urls: agents.map((agent) => server.urlOf(agent)) });

/** A drop as one of a flow in an incident is told: with its time, its node and its incident. */
function tell(agent) {
  const nowMs = performance.timeOrigin + performance.now();
  const ns = String(Math.floor((nowMs % 1000) * 1e6)).padStart(9, '0');
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}.${ns}Z`;
  agent.tellText(`{"v":1,"kind":"drop","time":"${time}","node":"${agent.node}"${REST}`);
}

const REST = `,"count":21,"reason":"IP_RPFILTER","location":"ip_rcv_finish_core+0x25b","hook":"tp_btf/kfree_skb",${[
  '"packet":{"family":"ipv4","protocol":"tcp","src":"10.244.3.136","src_port":38112,"dst":"10.96.0.1","dst_port":443,"tcp_flags":"S","length":60,"ttl":64,"mark":0,"gso_segs":1}',
  '"device":{"name":"lxcabcd","ifindex":12,"role":"cilium_lxc","netns":4026531833,"peer_ifindex":11,"peer_netns":4026532177}',
  '"pod":{"namespace":"qfusion-admin","name":"mssql-0","uid":"2b1d6f5e-3c1f-4a3e-9a55-0c8a3e0d6f11","ip":"10.244.3.136","source":"cilium","direction":"from_pod"}',
  '"peer":{"ip":"10.96.0.1","kind":"service","namespace":"default","name":"kubernetes"}',
  '"rpf":{"verdict":"unnumbered_mismatch","mode":{"all":1,"device":0,"effective":1,"decided_by":"all","unnumbered":true,"accept_local":false,"src_valid_mark":false},"explanation":"10.244.3.136 arrived on lxcabcd, but the route back to it leaves by cilium_host; all.rp_filter=1 makes the check binding, and lxcabcd has no IPv4 address, so loose mode (2) would drop it too","fix":["sysctl -w net.ipv4.conf.all.rp_filter=0"]}',
].join(',')},"incident":"i-1"}`;
