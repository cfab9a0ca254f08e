import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartEvent } from '../../src/events.js';
import { configOf, containerOf, podOf, render } from '../support/chart.js';
import { freePort } from '../support/prometheus.js';
import { DropSource } from './support/drops.js';
import { root } from './support/program.js';
import { Container } from './support/runc.js';

/** What the DaemonSet makes of a node, run by runc: user, capabilities, no_new_privs, root file system and mounts are the chart's. */
describe('the container of the DaemonSet', () => {
  const source = new DropSource();
  let folder: string;
  let port: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rpfchart-'));
    port = await freePort();
  });
  afterAll(() => {
    source.remove();
    rmSync(folder, { recursive: true });
  });

  it('is ready, lacks nothing, and tells drops of another network namespace to who asks at its port', async () => {
    const values = {
      port,
      kubernetes: { api: false },
      config: { sources: { cri: false, processes: false } },
    };
    using container = containerOfChart(values);
    const serve = container.rpftrace('serve', '--config', '/etc/rpftrace/config/config.yaml');
    await serve.until(({ stderr }) => stderr.includes('listening on'));
    const { readinessProbe } = containerOf(render(values));
    expect((await fetch(`http://127.0.0.1:${port}${readinessProbe.httpGet.path}`)).status).toBe(200);

    await source.drop(25);
    const events = await fetch(`http://127.0.0.1:${port}/v1/events?since=1h&kind=drop&netns=${source.inode}`);
    const line = await firstLineOf(events);
    expect(line).toMatchObject({ kind: 'drop', device: { netns: source.inode } });

    const answer = await fetch(`http://127.0.0.1:${port}/v1/status`);
    const { start } = (await answer.json()) as { start: StartEvent };
    const missing = start.degraded.filter((one) => one.missing !== undefined);
    expect(missing).toEqual([]);
    expect(await serve.stop()).toMatchObject({ code: 0 });
  });

  it('finds the files of the node by its first process, and only because it may look into it', async () => {
    // Process 1 of this machine may be one that nobody can look into.
    const under = ['unshare', '--pid', '--fork', '--mount-proc', 'sh', '-c', '"$@"; exit $?', 'sh'];
    const script = `import(${JSON.stringify(join(root, 'dist', 'node-root.js'))}).then((m) => console.log(m.nodeRoot()))`;
    const rootSeen = async (values: object) => {
      using container = containerOfChart(values, under);
      return (await container.run(process.execPath, '-e', script).ended).stdout.trim();
    };
    expect(await rootSeen({})).toBe('/proc/1/root/');
    expect(await rootSeen({ capabilities: ['BPF', 'PERFMON'] })).toBe('/');
  });

  /** The program and its libraries are this machine's, in place of the image's. */
  function containerOfChart(values: object, under: readonly string[] = []): Container {
    const objects = render(values);
    const { securityContext, volumeMounts } = containerOf(objects);
    const config = mkdtempSync(join(folder, 'config-'));
    writeFileSync(join(config, 'config.yaml'), configOf(objects));
    const volumes = new Map<string, Volume>(podOf(objects).volumes.map((one: Volume) => [one.name, one]));
    expect(securityContext).toMatchObject({ runAsUser: 0, allowPrivilegeEscalation: false });
    return new Container({
      capabilities: securityContext.capabilities.add.map((name: string) => `CAP_${name}`),
      under,
      isReadOnly: securityContext.readOnlyRootFilesystem,
      without: ['run', 'host', 'etc'],
      mounts: volumeMounts.map((mount: VolumeMount) => mountOf(mount, volumes.get(mount.name), config)),
    });
  }
});

interface Volume {
  readonly name: string;
  readonly hostPath?: { readonly path: string };
  readonly emptyDir?: object;
  readonly configMap?: object;
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

/** As kubelet and container runtime make it. */
function mountOf({ mountPath, readOnly }: VolumeMount, volume: Volume | undefined, config: string): object {
  if (volume?.emptyDir) return { destination: mountPath, type: 'tmpfs', source: 'tmpfs' };
  const path = volume?.hostPath?.path ?? (volume?.configMap && config);
  return {
    destination: mountPath,
    type: 'none',
    source: path,
    options: ['rbind', readOnly ? 'ro' : 'rw', 'rslave'],
  };
}

async function firstLineOf(response: Response): Promise<object> {
  const reader = response.body?.getReader();
  let text = '';
  while (!text.includes('\n')) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) break;
    text += Buffer.from(value).toString();
  }
  await reader?.cancel();
  return JSON.parse(text.split('\n')[0] ?? '');
}
