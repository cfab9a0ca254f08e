/**
 * Rebuilds the incident in network namespaces, traces it live, adds the same drops up with jq, shows a real pod where containerd
 * is installed, and ends with the sentence for the incident channel and with the proof of the fix in it:
 *
 *   node scripts/demo.mjs
 *
 * Needs root. Removes everything that it made, however it ends. Ends with 1 when the sums differ or the fix does not help.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRoot, main, path, read, root, run, runQuietly, Stop } from './lib/command.mjs';
import { installDebianPackages, missingDebianPackages } from './lib/debian.mjs';
import { installNpmPackages, requireNode } from './lib/npm.mjs';
import { importTypeScript } from './lib/typescript.mjs';

const program = join(root, 'bin', 'rpftrace');
const lab = 'rpftrace-demo';
const node = `${lab}-node`;
const trace = ['trace', '--rpf-only', '--netns', node];
const addition = '[inputs | select(.kind == "drop").count] | add // 0';

/** A case of the lab, packets, and what to say of it. */
const scenes = [
  ['off', 20, 'rp_filter is 0: all that the pod sends to the world gets there.'],
  ['strict', 250, 'Now something sets net.ipv4.conf.all.rp_filter to 1, and the kernel refuses it:'],
  ['strict-tcp', 30, 'TCP too, so databases leave their cluster:'],
  ['reply-path', 12, 'The answers to the kubelet, too, so its probes fail:'],
  ['pod-to-pod', 20, 'From pod to pod everything still passes, so all pods look healthy.'],
  ['loose-unnumbered', 250, 'Loose mode (2) does not help where the device has no IPv4 address:'],
];

/** That the pod sends before and after the fix. */
const PACKETS = 40;

/** The group of packages that a pod takes; nothing of it is installed for a demo. */
const POD_PACKAGES = ['pods'];

await main(async () => {
  requireNode();
  requireRoot();
  prepare();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort());
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-demo-'));
  try {
    await show(scratch, interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.exitCode = 130; // as shells report SIGINT
  } finally {
    rmSync(scratch, { recursive: true });
    run(program, ['lab', 'down', '--name', lab]);
  }
});

function requireRoot() {
  if (isRoot()) return;
  const missing = missingDebianPackages(['build', 'demo']);
  const reasons = [
    ...(missing.length > 0 ? [`to install these Debian packages: ${missing.join(' ')}`] : []),
    'to create network namespaces for the lab (CAP_SYS_ADMIN, CAP_NET_ADMIN)',
    'to load and attach the BPF programs (CAP_BPF, CAP_PERFMON)',
  ];
  const list = reasons.map((reason) => `  - ${reason}`).join('\n');
  throw new Stop(`npm run demo needs root:\n${list}\nTry: sudo env "PATH=$PATH" npm run demo`, 3);
}

function prepare() {
  say('Installing what is missing, building.');
  installDebianPackages(['build', 'demo']);
  installNpmPackages();
  run(process.execPath, ['scripts/build.mjs']);
}

async function show(scratch, signal) {
  say('Building the lab: a pod, a node as Cilium sets it up, and the world, in network namespaces.');
  runQuietly(program, ['lab', 'up', '--name', lab]);
  const before = kernelCounter();

  say(`Tracing:  rpftrace ${trace.join(' ')}`);
  const table = await start(scratch, 'table', `exec "$@" -o table`);
  say(`and the same drops as NDJSON:  rpftrace ${trace.join(' ')} -o ndjson | jq -n '${addition}'`);
  const sum = await start(scratch, 'sum', `"$@" -o ndjson 2>/dev/null | jq -n '${addition}'`);
  try {
    for (const [name, count, words] of scenes) await play(name, count, words, signal);
  } finally {
    await sum.stop();
    await table.stop();
  }
  compare(Number(sum.output()), kernelCounter() - before);
  await namePod(scratch, signal);
  await nameCulprit(scratch, signal);
}

/** A pod of a container runtime of its own, on the same node: its drops bear its name. */
async function namePod(scratch, signal) {
  const missing = missingDebianPackages(POD_PACKAGES);
  if (missing.length > 0) {
    say(`With ${missing.join(' ')} installed, a real pod would be shown here, by its name.`);
    return;
  }
  say('A real pod, in a containerd of our own that has the lab’s node for its host:');
  const { Containerd } = await importTypeScript('test/kernel/support/containerd.ts');
  const containerd = await Containerd.start({ netns: `/run/netns/${node}`, network: 'lxc' });
  try {
    await losePodsPackets(containerd, scratch, signal);
  } finally {
    await containerd.stop();
    setRpFilter(0);
  }
}

function setRpFilter(value) {
  run('ip', ['netns', 'exec', node, 'sysctl', '-qw', `net.ipv4.conf.all.rp_filter=${value}`]);
}

async function losePodsPackets(containerd, scratch, signal) {
  const pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0' });
  setRpFilter(1);
  const sources = ['--no-cilium', '--no-kubernetes', '--cri-socket', containerd.socket];
  const events = await start(scratch, 'pod', `exec "$@" -o ndjson 2>/dev/null`, sources);
  const table = await start(scratch, 'table', `exec "$@" -o table`, sources);
  try {
    // Pods are looked for when the hooks are attached.
    await sleep(1000, undefined, { signal });
    await pod.runContainer('mssql', ['udp', '203.0.113.9', '1433', '200']);
    const { pod: named } = await eventOf(
      events,
      ({ kind, pod: one }) => kind === 'drop' && one?.name,
      signal,
    );
    // What is counted by now comes out within a second.
    await sleep(1200, undefined, { signal });
    await table.stop();
    say(`The events say it too:  "pod": ${JSON.stringify(named)}`);
  } finally {
    await events.stop();
    await table.stop();
  }
}

/** A process of this machine makes the incident; what rpftrace says of it, and what its fix does. */
async function nameCulprit(scratch, signal) {
  const settings = join(scratch, '50-hardening.conf');
  const script = join(scratch, 'harden');
  writeFileSync(settings, 'net.ipv4.conf.all.rp_filter = 1\n');
  writeFileSync(script, `#!/bin/sh\nsysctl -q -p ${settings}\n`, { mode: 0o755 });
  say(`Now for real: ${script} runs sysctl -p on the node, and the pod goes on sending.`);
  const events = await start(scratch, 'events', `exec "$@" -o ndjson 2>/dev/null`);
  try {
    run('ip', ['netns', 'exec', node, script]);
    sendFromPod(PACKETS);
    const incident = await incidentOf(events, ({ drops }) => drops === PACKETS, signal);
    say('What rpftrace says of it, for the incident channel:');
    process.stdout.write(`${incident.summary}\n`);
    proveFix(incident.fix);
    const closed = await incidentOf(events, ({ state }) => state === 'closed', signal);
    process.stdout.write(`${closed.summary}\n`);
  } finally {
    await events.stop();
  }
}

function proveFix(fix) {
  say(`The fix, run as it is printed:  ${fix.join(' && ')}`);
  if (fix.length === 0) throw new Stop('There is no fix, and there must be one.');
  run('sh', ['-c', fix.join(' && ')]);
  const before = kernelCounter();
  sendFromPod(PACKETS);
  const refused = kernelCounter() - before;
  process.stdout.write(`${PACKETS} more packets from the pod, ${refused} of them refused.\n`);
  if (refused > 0) throw new Stop('The fix does not help, and it must.');
}

/** What is said of an incident, as soon as it satisfies this. */
async function incidentOf(events, satisfies, signal) {
  return await eventOf(events, (event) => event.kind === 'incident' && satisfies(event), signal);
}

async function eventOf(events, satisfies, signal) {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const lines = events.output().split('\n').slice(0, -1);
    const found = lines.map((line) => JSON.parse(line)).find(satisfies);
    if (found) return found;
    await sleep(50, undefined, { signal });
  }
  throw new Stop('rpftrace did not tell of what happened');
}

/** UDP to the world, from a shell in the pod. */
function sendFromPod(count) {
  const loop = `for i in $(seq ${count}); do echo x > /dev/udp/203.0.113.9/53; done`;
  run('ip', ['netns', 'exec', `${lab}-pod`, 'bash', '-c', loop]);
}

async function play(name, count, words, signal) {
  say(words);
  const drop = ['lab', 'drop', name, '--count', String(count), '--name', lab];
  const { status, stderr } = spawnSync(program, drop, { encoding: 'utf8' });
  if (status !== 0) throw new Stop(`rpftrace ${drop.join(' ')} ended with ${status}: ${stderr}`);
  // Counts of flows come out once a second: those of this scene before the next one begins.
  await sleep(1200, undefined, { signal });
}

/** Runs a shell command line around the tracer, whose arguments are "$@"; resolves when everything is attached. */
async function start(scratch, name, shell, more = []) {
  const ready = join(scratch, name);
  const isReady = new Promise((resolve) => {
    const watcher = watch(scratch, (_type, file) => {
      if (file !== name) return;
      watcher.close();
      resolve();
    });
  });
  const isTable = name === 'table';
  const child = spawn('bash', ['-c', shell, 'bash', program, ...trace, ...more, '--ready-file', ready], {
    stdio: ['ignore', isTable ? 'inherit' : 'pipe', 'inherit'],
    env: { ...process.env, PATH: path },
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  if ((await Promise.race([isReady, ended])) !== undefined) throw new Stop('the tracer did not start');
  const { pid } = JSON.parse(readFileSync(ready, 'utf8'));
  return {
    output: () => output,
    stop: async () => {
      if (existsSync(ready)) process.kill(pid, 'SIGINT'); // the file is there as long as the tracer is attached
      await ended;
    },
  };
}

function compare(traced, counted) {
  say('The sum that jq made of the stream, against the counter that the kernel keeps itself:');
  process.stdout.write(
    `jq                              ${traced}\nTcpExt IPReversePathFilter      ${counted}\n`,
  );
  if (traced !== counted) throw new Stop('They differ, and they must not.');
  process.stdout.write('Every drop is accounted for.\n');
}

/** TcpExt IPReversePathFilter of the lab's node. */
function kernelCounter() {
  const text = read('ip', ['netns', 'exec', node, 'nstat', '-asz', 'TcpExtIPReversePathFilter']) ?? '';
  const counter = /IPReversePathFilter\s+(\d+)/.exec(text)?.[1];
  if (counter === undefined) throw new Stop(`cannot read TcpExt IPReversePathFilter of ${node}`);
  return Number(counter);
}

function say(words) {
  process.stdout.write(`\n# ${words}\n`);
}
