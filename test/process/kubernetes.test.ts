import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { PODS } from '../support/kube-api.js';
import { NODE, pod, startApi, surroundingsOf } from '../support/kubernetes.js';

const SOURCE = new URL('../../dist/attribute/sources/kubernetes/source.js', import.meta.url).href;

/** Follows the pods until it knows one, then has nothing more to do, and does not stop the source. */
const FOLLOW = `
  const { KubernetesSource } = await import('${SOURCE}');
  const surroundings = JSON.parse(process.env.SURROUNDINGS);
  const source = new KubernetesSource({ peers: true }, { surroundings });
  const told = () => {};
  const known = new Promise((resolve) => {
    source.start({ pod: resolve, podGone: told, peer: told, peerGone: told, node: told, synced: told });
  });
  const busy = setInterval(told, 1000);
  const { name } = await known;
  clearInterval(busy);
  console.log(name);
  process.once('beforeExit', () => console.log(source.state.state));
`;

test('a source that follows a cluster keeps no process alive', async () => {
  const api = await startApi();
  api.put(PODS, pod('db-0', '10.244.3.7'));
  const env = { ...process.env, SURROUNDINGS: JSON.stringify(surroundingsOf(api, { NODE_NAME: NODE })) };
  const child = spawn(process.execPath, ['--input-type=module', '--eval', FOLLOW], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const [code] = await once(child, 'close');
  expect([code, said]).toEqual([0, 'db-0\nok\n']);
});
