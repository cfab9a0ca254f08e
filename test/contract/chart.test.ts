import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART, runHelm } from '../../scripts/lib/chart.mjs';
import * as resources from '../../src/attribute/sources/kubernetes/resources.js';
import { CAPABILITIES } from '../../src/privileges/capabilities.js';
import { configOf, containerOf, HELMS, podOf, read, render, renderByHelm3 } from '../support/chart.js';
import { checkConfig } from '../support/check-config.js';
import { faultsOf, type Manifest } from '../support/kubernetes-schemas.js';

/** Everything that the chart can make, each way at least once. */
const variants: Record<string, object> = {
  'the values as they are': {},
  'open to others': {
    expose: true,
    token: { value: 'a "secret": $1' },
    tls: { secret: 'certificate' },
    podMonitor: { enabled: true, labels: { release: 'prometheus' } },
    kubernetes: { events: true },
    history: { persist: true, memory: '32M', disk: '1G' },
  },
  'in its own network': {
    hostNetwork: false,
    token: { secret: 'mine', key: 'password' },
    networkPolicy: { enabled: true },
    podMonitor: { enabled: true },
  },
  'without the API server': { kubernetes: { api: false }, mounts: { run: false } },
  'for the node and its pods alone': { kubernetes: { peers: false } },
  'all that can be added': {
    image: { repository: 'registry.example/rpftrace', tag: '1.2.3', pullPolicy: 'Always' },
    imagePullSecrets: [{ name: 'registry' }],
    config: { capture: { rpf_only: true }, otlp: { url: 'http://collector:4318' }, limits: { readers: 64 } },
    extraVolumes: [{ name: 'snap', hostPath: { path: '/var/snap' } }],
    extraVolumeMounts: [{ name: 'snap', mountPath: '/host/var/snap' }],
    seccomp: { type: 'Localhost' },
    seLinuxOptions: { type: 'spc_t' },
    affinity: { nodeAffinity: {} },
    podAnnotations: { 'example.org/owner': 'net' },
    podLabels: { team: 'net' },
    env: [{ name: 'RPFTRACE_LIMITS_READERS', value: '8' }],
    createNamespace: true,
  },
};

describe.each(Object.entries(variants))('the chart, %s', (_name, values) => {
  const objects = render(values);

  it('is made the same by Helm 3', () => expect(renderByHelm3(values)).toEqual(objects));

  it.each(Object.entries(HELMS))('is what the lint of %s has nothing against', (_name, helm) => {
    expect(runHelm(helm, ['lint', '--strict', CHART], values)).toContain(
      '1 chart(s) linted, 0 chart(s) failed',
    );
  });

  it.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))(
    'makes of %s what the Kubernetes API takes, and no key that it does not have',
    (_kind, object) => expect(faultsOf(object)).toEqual([]),
  );

  it('makes each object once, in its namespace', () => {
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    const clusterWide = ['ClusterRole', 'ClusterRoleBinding', 'Namespace'];
    for (const { kind, metadata } of objects)
      expect([kind, metadata.namespace]).toEqual([kind, clusterWide.includes(kind) ? undefined : 'rpftrace']);
  });

  it('gives rpftrace serve a configuration that it takes', () => {
    expect(checkConfig(configOf(objects))).toContain('listen');
  });

  it('mounts every volume, has each that is mounted, and mounts two things nowhere', () => {
    const { volumes } = podOf(objects);
    const mounts: { name: string; mountPath: string }[] = containerOf(objects).volumeMounts;
    expect(new Set(mounts.map(({ name }) => name))).toEqual(
      new Set(volumes.map(({ name }: { name: string }) => name)),
    );
    expect(new Set(mounts.map(({ mountPath }) => mountPath)).size).toBe(mounts.length);
  });

  it('allows by RBAC what the configuration makes rpftrace ask for, and nothing else', () => {
    expect(granted(objects)).toEqual(asked(parse(configOf(objects))).sort());
  });

  it('lets kubelet and Prometheus reach the port that it listens on', () => {
    const container = containerOf(objects);
    const listens = parse(configOf(objects)).listen.find((one: string) => !one.startsWith('unix:'));
    const [, host, port] = /^(.*):(\d+)$/.exec(listens) ?? [];
    expect(container.ports).toEqual([{ name: 'http', containerPort: Number(port), protocol: 'TCP' }]);
    for (const probe of [container.livenessProbe, container.readinessProbe])
      expect(probe.httpGet.host ?? '').toBe(host);
    const isForOthers = objects.some(({ kind }) => kind === 'PodMonitor');
    if (isForOthers) expect(host).toBe('');
  });

  it('selects its own pods', () => {
    const { matchLabels } = objects.find(({ kind }) => kind === 'DaemonSet')?.spec.selector ?? {};
    const { labels } = objects.find(({ kind }) => kind === 'DaemonSet')?.spec.template.metadata ?? {};
    expect(labels).toMatchObject(matchLabels);
  });
});

describe('the container', () => {
  const container = containerOf(render({}));

  it('has exactly the capabilities that docs/privileges.md tells for Kubernetes, drops all others, and can get none', () => {
    const documented = /securityContext:\n\s+capabilities:\n\s+drop: (\[.*\])\n\s+add: (\[.*\])/.exec(
      read('docs/privileges.md'),
    );
    const { capabilities, ...rest } = container.securityContext;
    expect(capabilities).toEqual({
      drop: JSON.parse(documented?.[1] ?? '[]'),
      add: JSON.parse(documented?.[2] ?? '[]'),
    });
    expect(rest).toMatchObject({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
    });
  });

  it('asks for no capability that rpftrace has no use for', () => {
    const used: string[] = CAPABILITIES.map(({ name }) => name.replace('CAP_', ''));
    expect(container.securityContext.capabilities.add.filter((one: string) => !used.includes(one))).toEqual(
      [],
    );
  });

  it('has the seccomp profile under the name that the documents put it on the node with', () => {
    const { seccompProfile } = containerOf(render({ seccomp: { type: 'Localhost' } })).securityContext;
    expect(seccompProfile.type).toBe('Localhost');
    for (const document of ['docs/privileges.md', 'docs/kubernetes.md'])
      expect(read(document)).toContain(`/var/lib/kubelet/seccomp/${seccompProfile.localhostProfile}`);
    expect(existsSync(resolve(import.meta.dirname, '../../deploy/seccomp.json'))).toBe(true);
  });

  it('is told by a field that AppArmor leaves it alone, and by an annotation where there is no such field yet', () => {
    expect(container.securityContext.appArmorProfile).toEqual({ type: 'Unconfined' });
    const old = render({}, 'v1.29.4');
    expect(containerOf(old).securityContext.appArmorProfile).toBeUndefined();
    const { annotations } = old.find(({ kind }) => kind === 'DaemonSet')?.spec.template.metadata ?? {};
    expect(annotations).toMatchObject({
      'container.apparmor.security.beta.kubernetes.io/rpftrace': 'unconfined',
    });
  });

  it('has its folders where the image has them', () => {
    const dockerfile = read('Dockerfile');
    const { volumeMounts } = containerOf(render({ history: { persist: true } }));
    const paths = volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    const [, volume] = /^VOLUME \["(.*)"\]$/m.exec(dockerfile) ?? [];
    expect(paths).toContain(volume);
    for (const path of ['/run/rpftrace', '/var/lib/rpftrace'])
      expect([paths.includes(path), dockerfile.includes(path)]).toEqual([true, true]);
  });

  it('writes nowhere but into its own folders', () => {
    const all = containerOf(render({ history: { persist: true } })).volumeMounts;
    const writable = all.filter(({ readOnly }: { readOnly?: boolean }) => !readOnly);
    expect(writable.map(({ mountPath }: { mountPath: string }) => mountPath)).toEqual([
      '/run/rpftrace',
      '/var/lib/rpftrace',
    ]);
  });

  it('runs on each node, whatever its taints', () => {
    expect(podOf(render({})).tolerations).toEqual([{ operator: 'Exists' }]);
  });

  it('starts anew with another configuration', () => {
    const checksum = (values: object) =>
      render(values).find(({ kind }) => kind === 'DaemonSet')?.spec.template.metadata.annotations[
        'checksum/config'
      ];
    expect(checksum({ port: 14101 })).not.toBe(checksum({}));
    expect(checksum({})).toBe(checksum({}));
  });
});

/** "pods list", "discovery.k8s.io/endpointslices watch", ... */
function granted(objects: readonly Manifest[]): string[] {
  const rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[] =
    objects.find(({ kind }) => kind === 'ClusterRole')?.rules ?? [];
  return rules
    .flatMap(({ apiGroups, resources: plurals, verbs }) =>
      apiGroups.flatMap((group) =>
        plurals.flatMap((plural) => verbs.map((verb) => `${group && `${group}/`}${plural} ${verb}`)),
      ),
    )
    .sort();
}

/** What the sources ask for, by their own paths; the name of the node is looked up with get. */
function asked(config: {
  sources: { kubernetes: boolean; peers: boolean };
  kubernetes_events: boolean;
}): string[] {
  const { podsOf, ...peers } = resources;
  if (!config.sources.kubernetes) return [];
  const read = [podsOf('node-1'), ...(config.sources.peers ? Object.values(peers) : [])];
  const watched = read.flatMap(({ path }) => {
    const [, group, plural] = /^\/(?:api|apis\/([^/]+))\/v\d\/([^/]+)$/.exec(path) ?? [];
    return ['list', 'watch'].map((verb) => `${group ? `${group}/` : ''}${plural} ${verb}`);
  });
  return [
    ...watched,
    ...(config.sources.peers ? ['nodes get'] : []),
    ...(config.kubernetes_events ? ['events create'] : []),
  ];
}
