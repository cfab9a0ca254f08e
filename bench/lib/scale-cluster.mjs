import { fork } from 'node:child_process';

const PROCESSES = 2;

/** So many agents, in a few processes. */
export async function startAgents(count) {
  const each = Math.ceil(count / PROCESSES);
  const firsts = Array.from({ length: PROCESSES }, (_, index) => index * each);
  const children = firsts.map((first) =>
    fork(new URL('agents-process.mjs', import.meta.url), [first, Math.min(each, count - first)]),
  );
  const answers = (key) =>
    Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            child.once('message', (message) => resolve(message[key]));
          }),
      ),
    );
  const urls = (await answers('urls')).flat();
  return {
    urls,
    tell: ({ leave, comeBack, ...message }) => {
      for (const child of children) child.send(message);
      if (leave ?? comeBack) children[0].send({ leave, comeBack });
    },
    told: async () => {
      const counts = answers('told');
      for (const child of children) child.send({ count: true });
      return (await counts).reduce((sum, one) => sum + one, 0);
    },
    stop: () => {
      for (const child of children) child.disconnect();
    },
  };
}
