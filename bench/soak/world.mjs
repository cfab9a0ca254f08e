import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A node's network namespace, and pods that come and go in it. Whatever a pod sends is refused while rp_filter is on: the route
 * back to all of them leaves by another device, as with Cilium.
 */
export class World {
  /** Packets that were sent while their source was refused. */
  refused = 0;
  made = 0;
  pods = [];
  #library;
  #name = `rpfsoak${process.pid}`;
  /** A process inside, by which the namespace's counters can be read. */
  #holder;

  /** `library`: run() and SENDER of the lab. */
  static async open(library) {
    const world = new World();
    world.#library = library;
    try {
      await world.#build();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get netns() {
    return `/run/netns/${this.#name}`;
  }

  get inode() {
    return statSync(this.netns).ino;
  }

  /** TcpExt IPReversePathFilter: how many packets the kernel itself says it refused. */
  get counter() {
    const [names, values] = readFileSync(`/proc/${this.#holder.pid}/net/netstat`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'))
      .map((line) => line.split(' '));
    return Number(values[names.indexOf('IPReversePathFilter')]);
  }

  async addPod() {
    const id = ++this.made;
    const name = `${this.#name}p${id}`;
    const address = `10.244.${(id >> 8) & 255}.${id & 255}`;
    const pod = { id, name, device: `lxc${id}`, address, isBusy: true };
    this.pods.push(pod);
    const peer = `type veth peer name eth0 netns ${name}`;
    const { device } = pod;
    await this.#ip([`netns add ${name}`, `link add ${device} netns ${this.#name} address ${MAC} ${peer}`]);
    await this.#ip(['link set eth0 addrgenmode none multicast off up'], name);
    await this.#ip([`link set ${device} multicast off up`], this.#name);
    // The kernel gives a device its queue only some time after its peer came up; what is sent before is lost.
    while (!/state UP/.test(await this.#library.run('ip', ['-n', this.#name, 'link', 'show', device])));
    pod.isBusy = false;
  }

  /** The oldest one that has nothing to do just now. */
  async removePod() {
    const pod = this.pods.find(({ isBusy }) => !isBusy);
    if (!pod) return;
    this.pods.splice(this.pods.indexOf(pod), 1);
    await this.#ip([`netns delete ${pod.name}`]);
  }

  /** Whether sources are refused from now on. Written by a process of its own each time, as tools do. */
  async refuse(isOn) {
    const setting = '/proc/sys/net/ipv4/conf/all/rp_filter';
    await this.#inside(`echo ${isOn ? 1 : 0} > ${setting}`);
    this.isRefusing = isOn;
  }

  /** Sends and waits until the kernel has refused all of it; or has taken it, while nothing is refused. */
  async send(pod, { count, flows, rate }) {
    const before = this.counter;
    pod.isBusy = true;
    try {
      const words = {
        netns: `/run/netns/${pod.name}`,
        'dst-mac': MAC,
        src: pod.address,
        dst: NODE_ADDRESS,
        ...{ count, flows, rate },
      };
      const options = Object.entries(words).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const { sent } = JSON.parse(await this.#library.run(this.#library.SENDER, ['udp', ...options]));
      if (!this.isRefusing) return;
      this.refused += sent;
      for (const end = performance.now() + 5000; this.counter < before + sent && performance.now() < end; )
        await sleep(5);
    } finally {
      pod.isBusy = false;
    }
  }

  async close() {
    this.#holder?.kill('SIGKILL');
    for (const { name } of this.pods) await this.#ip([`netns delete ${name}`]).catch(() => undefined);
    await this.#ip([`netns delete ${this.#name}`]).catch(() => undefined);
  }

  async #build() {
    await this.#ip([`netns add ${this.#name}`]);
    this.#holder = spawn('ip', ['netns', 'exec', this.#name, 'sleep', 'infinity'], { stdio: 'ignore' });
    await once(this.#holder, 'spawn');
    await this.#inside(`
      for scope in all default; do echo 0 > /proc/sys/net/ipv4/conf/$scope/rp_filter; done
      for scope in all default; do echo 1 > /proc/sys/net/ipv6/conf/$scope/disable_ipv6; done`);
    await this.#ip(
      [
        'link set lo up',
        'link add cilium_host type veth peer name cilium_net',
        'link set cilium_host up',
        'link set cilium_net up',
        `address add ${NODE_ADDRESS}/32 dev cilium_host`,
        'route add 10.244.0.0/16 dev cilium_host',
      ],
      this.#name,
    );
  }

  #inside(script) {
    return this.#library.run('ip', ['netns', 'exec', this.#name, 'sh', '-e'], { input: script });
  }

  /** What was begun is finished, whatever asks us to end: else something would be left behind. */
  #ip(lines, netns) {
    const where = netns === undefined ? [] : ['-n', netns];
    return this.#library.run('ip', [...where, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }
}

const MAC = '0e:00:0a:f4:03:01';
const NODE_ADDRESS = '10.244.255.1';
