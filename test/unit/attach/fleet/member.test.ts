import { expect, onTestFinished, test, vi } from 'vitest';
import { Agents } from '../../../../bench/lib/agents.mjs';
import { Member } from '../../../../src/attach/fleet/member.js';
import { openPlace } from '../../../../src/attach/open-place.js';
import { parseTarget } from '../../../../src/attach/target.js';
import { aDrop } from '../../../fixtures/journal.js';

// Who is denied is asked again after half a minute.
vi.mock('node:timers/promises', () => ({ setTimeout: async () => undefined }));

test('who took no question any more, and takes them again, goes on where it was', async () => {
  const server = await new Agents().listen();
  onTestFinished(() => server.close());
  const agent = server.add('node-0');
  const answer = agent.answer.bind(agent);
  const asked: (string | null)[] = [];
  agent.answer = (query, response) => {
    asked.push(query.get('since'));
    if (asked.length !== 2) return answer(query, response);
    response.writeHead(400).end('{"error":{"message":"not now"}}');
  };
  agent.tell(aDrop());
  const ids: (number | undefined)[] = [];
  const member = new Member({
    place: await openPlace(parseTarget(server.urlOf(agent)), { token: () => undefined }),
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
  await vi.waitFor(() => expect(agent.readers).toBe(1));
  agent.cut();
  await vi.waitFor(() => expect(asked).toEqual(['1h', 'mwsegikr-1', 'mwsegikr-1']));
  agent.tell(aDrop());
  await vi.waitFor(() => expect(ids).toEqual([1, 2]));
  expect(member.state.kind).toBe('heard');
});
