import { expect, onTestFinished, test, vi } from 'vitest';
import { Agents } from '../../../../bench/lib/agents.mjs';
import { Member } from '../../../../src/attach/fleet/member.js';
import { placeOpener } from '../../../../src/attach/open-place.js';
import { parseTarget } from '../../../../src/attach/target.js';
import { aDrop } from '../../../fixtures/journal.js';

const waits: number[] = [];
// Who is denied is asked again after half a minute.
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    waits.push(ms);
  },
}));

test('who took no question any more, and takes them again, goes on where it was', async () => {
  const { agent, asked, follow } = await anAgent((count) => (count === 2 ? 400 : undefined));
  agent.tell(aDrop());
  const { member, ids } = await follow();
  await vi.waitFor(() => expect(agent.readers).toBe(1));
  agent.cut();
  await vi.waitFor(() => expect(asked).toEqual(['1h', 'mwsegikr-1', 'mwsegikr-1']));
  agent.tell(aDrop());
  await vi.waitFor(() => expect(ids).toEqual([1, 2]));
  expect(member.state.kind).toBe('heard');
});

test('who was heard for a good while is come back to soon when it is in trouble again', async () => {
  const refusals = [503, 503, 503, 503, 503, 503, undefined, 400, 503];
  const { agent, asked, follow } = await anAgent((count) => refusals[count - 1]);
  agent.tell(aDrop());
  const { ids } = await follow();
  await vi.waitFor(() => expect(agent.readers).toBe(1));
  expect(Math.max(...waits)).toBeGreaterThan(1000);
  const { now } = performance;
  const later = vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 60_000);
  onTestFinished(() => later.mockRestore());
  agent.tell(aDrop());
  await vi.waitFor(() => expect(ids).toEqual([1, 2]));
  agent.cut();
  await vi.waitFor(() => expect(asked).toHaveLength(refusals.length + 1));
  expect(waits.at(-2)).toBe(30_000);
  expect(waits.at(-1)).toBeLessThanOrEqual(250);
});

/** One that answers with this status, where there is one, to the first, second, ... question. */
async function anAgent(refusalOf: (count: number) => number | undefined) {
  waits.length = 0;
  const server = await new Agents().listen();
  onTestFinished(() => server.close());
  const agent = server.add('node-0');
  const answer = agent.answer.bind(agent);
  const asked: (string | null)[] = [];
  agent.answer = (query, response) => {
    asked.push(query.get('since'));
    const status = refusalOf(asked.length);
    if (status === undefined) return answer(query, response);
    response.writeHead(status).end('{"error":{"message":"not now"}}');
  };
  const follow = async () => {
    const ids: (number | undefined)[] = [];
    const member = new Member({
      place: await placeOpener({ token: () => undefined })(parseTarget(server.urlOf(agent))),
      question: { filters: {}, since: '1h', follow: true },
      isCatchingUp: true,
      listener: {
        event: ({ id }) => {
          ids.push(id?.number);
          return { keyMs: 0, isLate: false, aheadMs: 0 };
        },
        changed: () => undefined,
        portion: () => undefined,
      },
    });
    onTestFinished(() => member.stop());
    void member.run();
    return { member, ids };
  };
  return { agent, asked, follow };
}
