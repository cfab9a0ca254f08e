import { expect, test } from 'vitest';
import { AttachSummary } from '../../../src/cli/attach-summary.js';
import type { TraceEvent } from '../../../src/events.js';
import { dropEventOf, incidentOf } from '../../fixtures/event.js';

test('of several nodes it tells apart what has the same name on each', () => {
  const text = summary([
    dropEventOf({ node: 'n1', count: 3 }),
    dropEventOf({ node: 'n2', count: 2 }),
    incidentOf({ node: 'n1', summary: 'tuned set rp_filter' }),
    incidentOf({ node: 'n2', summary: 'a route went' }),
    incidentOf({ node: 'n1', state: 'closed', summary: 'it is over' }),
  ]);
  expect(text).toEqual([
    '  i-1, node n1: it is over',
    '  i-1, node n2: a route went',
    '  by reason:',
    '    5  IP_RPFILTER',
    '  by device:',
    '    3  lxcabcd (cilium_lxc, netns 7), node n1',
    '    2  lxcabcd (cilium_lxc, netns 7), node n2',
    '  by flow:',
    '    3  udp 10.0.0.1:1 -> 10.0.0.2:53 on lxcabcd, node n1',
    '    2  udp 10.0.0.1:1 -> 10.0.0.2:53 on lxcabcd, node n2',
  ]);
});

test('of one node it does not name it', () => {
  expect(summary([dropEventOf({ node: 'n1' }), incidentOf({ node: 'n1' })]).join('\n')).not.toContain('n1');
});

/** Without the headline. */
function summary(events: readonly TraceEvent[]): string[] {
  const summary = new AttachSummary();
  for (const event of events) summary.add({ text: '', id: undefined, kind: event.kind, event });
  return summary.lines.slice(1);
}
