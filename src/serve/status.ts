import { VERSION } from '../version.js';
import type { ServerState } from './state.js';

/** How the server is, for people and for `rpftrace attach`. */
export function statusOf(server: ServerState): object {
  const { journal, readers, writer, archive, session, start, access } = server;
  const { emitted, events } = session.pipeline.counts;
  const { seen, matched, lost, recursion } = session.pipeline.capture.stats();
  return {
    v: 1,
    kind: 'status',
    time: new Date().toISOString(),
    node: server.node,
    version: VERSION,
    ready: server.unready === undefined,
    unready: server.unready,
    uptime_s: Math.round((Date.now() - server.startedMs) / 1000),
    start,
    totals: { ...numbers({ seen, matched, lost, recursion }), emitted, events },
    incidents_open: server.incidents.open,
    sources: session.pipeline.pods.states,
    history: {
      epoch: journal.epoch,
      oldest: journal.oldestNumber,
      next: journal.nextNumber,
      memory_bytes: journal.bytes,
      memory_max_bytes: server.config.history.memory,
      ...(archive && {
        directory: archive.directory,
        disk_bytes: archive.bytes,
        disk_max_bytes: server.config.history.disk,
        disk_lost: writer?.lost,
        disk_failure: writer?.failure,
      }),
    },
    readers: { now: readers.count, max: server.config.limits.readers, ...readers.totals, lost: readers.lost },
    forwarders: server.forwarders.map(({ name, lost, failure }) => ({ name, lost, failure })),
    requests: { answered: server.requests, refused: access.refused },
    memory_bytes: process.memoryUsage.rss(),
  };
}

function numbers(counts: Record<string, bigint>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, Number(count)]));
}
