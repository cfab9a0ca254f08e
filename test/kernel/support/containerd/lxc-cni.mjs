/**
 * A CNI plugin that gives a pod what Cilium's gives it in tunnel mode, inside a network namespace that src/lab/ has set up as
 * the node: an lxc device without an IPv4 address, and a pod network that is routed through cilium_host. Addresses come from
 * the host-local plugin beside it. A pod whose name ends in "-two" gets a second interface.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_PATH, CNI_ARGS = '' } = process.env;
const input = readFileSync(0, 'utf8');
const config = JSON.parse(input);
/** Of every device of the lab. */
const mac = config.mac;

const interfaces = [
  { pod: 'eth0', host: `lxc${hash(CNI_CONTAINERID)}` },
  ...(/K8S_POD_NAME=[^;]*-two(;|$)/.test(CNI_ARGS)
    ? [{ pod: 'eth1', host: `lxc${hash(`${CNI_CONTAINERID} eth1`)}` }]
    : []),
];

if (CNI_COMMAND === 'ADD') process.stdout.write(JSON.stringify(add()));
if (CNI_COMMAND === 'DEL') remove();
if (CNI_COMMAND === 'VERSION') {
  process.stdout.write(JSON.stringify({ cniVersion: '0.4.0', supportedVersions: ['0.3.1', '0.4.0'] }));
}

function add() {
  const results = interfaces.map((link) => ({ ...link, ips: addLink(link) }));
  return {
    cniVersion: config.cniVersion,
    interfaces: results.flatMap(({ pod, host }) => [
      { name: host, mac },
      { name: pod, mac, sandbox: CNI_NETNS },
    ]),
    ips: results.flatMap(({ ips }, at) =>
      ips.map(({ version, address }) => ({
        version,
        address,
        gateway: config.gateways[version],
        interface: 2 * at + 1,
      })),
    ),
  };
}

function addLink({ pod, host }) {
  const { ips } = JSON.parse(addressesFor(pod, 'ADD'));
  const single = ips.map((ip) => ({ ...ip, address: `${bare(ip)}/${ip.version === '4' ? 32 : 128}` }));
  run('ip', ['link', 'add', host, 'address', mac, 'type', 'veth', 'peer', 'name', pod, 'netns', CNI_NETNS]);
  run('ip', ['link', 'set', host, 'multicast', 'off', 'addrgenmode', 'none', 'up']);
  inPod(`link set ${pod} address ${mac} arp off multicast off addrgenmode none up`);
  for (const ip of single) addAddress(pod, host, ip);
  return single;
}

/** The first interface is the way out; to the pod everything goes by tc, where Cilium uses BPF. */
function addAddress(pod, host, { version, address }) {
  const gateway = config.gateways[version];
  inPod(`address add ${address} dev ${pod}${version === '6' ? ' nodad' : ''}`);
  if (pod === 'eth0') {
    inPod(`route add ${gateway} dev eth0${version === '6' ? '' : ' scope link'}`);
    inPod(`route add default via ${gateway}`);
  }
  const [protocol, match] = version === '4' ? ['ip', 'ip'] : ['ipv6', 'ip6'];
  deleteFilter(address); // of a pod that could not be asked any more when it went
  run('tc', [
    ...['filter', 'add', 'dev', 'cilium_net', 'ingress', 'protocol', protocol, 'pref', preference(address)],
    ...['u32', 'match', match, 'dst', address],
    ...['action', 'mirred', 'egress', 'redirect', 'dev', host],
  ]);
}

/** May be called again, and for what was never made. */
function remove() {
  for (const { pod, host } of interfaces) {
    const addresses = CNI_NETNS ? addressesOf(pod) : [];
    addresses.forEach(deleteFilter);
    attempt('ip', ['link', 'delete', host]);
    addressesFor(pod, 'DEL');
  }
}

function deleteFilter(address) {
  attempt('tc', ['filter', 'delete', 'dev', 'cilium_net', 'ingress', 'pref', preference(address)]);
}

function addressesOf(pod) {
  const { stdout } = attempt('nsenter', [`--net=${CNI_NETNS}`, 'ip', '-json', 'address', 'show', 'dev', pod]);
  if (!stdout) return [];
  return JSON.parse(stdout).flatMap((link) => (link.addr_info ?? []).map(({ local }) => local));
}

/** Asks the host-local plugin, which keeps the addresses of one interface of one container. */
function addressesFor(pod, command) {
  const options = { input, env: { ...process.env, CNI_COMMAND: command, CNI_IFNAME: pod } };
  return run(join(CNI_PATH.split(':')[0], config.ipam.type), [], options);
}

/** Of the address's own filter. */
function preference(address) {
  const last = bare({ address }).split(/[.:]/).at(-1);
  return String(address.includes(':') ? 20000 + Number.parseInt(last, 16) : 10000 + Number(last));
}

function bare({ address }) {
  return address.split('/')[0];
}

function inPod(words) {
  run('nsenter', [`--net=${CNI_NETNS}`, 'ip', ...words.split(' ')]);
}

function hash(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function attempt(command, args) {
  return spawnSync(command, args, { encoding: 'utf8' });
}

/** Reports a failure as CNI wants it, and ends. */
function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status === 0) return stdout;
  const msg = `${command} ${args.join(' ')}: ${error?.message ?? (stderr || stdout).trim()}`;
  process.stdout.write(JSON.stringify({ cniVersion: config.cniVersion, code: 100, msg }));
  process.exit(1);
}
