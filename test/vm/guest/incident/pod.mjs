import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ADDRESS } from '../../../../node_modules/rpftrace/dist/lab/topology.js';
import { waitFor } from './wait.mjs';

/** A pod whose only job is to talk to a server in the world. Tells what it has sent, and what came through. */
export class Pod {
  /** "namespace/name" */
  name;
  device;
  sent = 0;
  #netns;
  #port;
  #received = new Set();
  #children = [];

  /** Cilium's agent knows it, the server listens; it says nothing yet. */
  constructor(lab, { netns, namespace, name, device, address, id, port }) {
    this.name = `${namespace}/${name}`;
    this.device = device;
    this.#netns = netns;
    this.#port = String(port);
    writeEndpoint({ id, namespace, name, address, device });
    this.#run(lab.netns('world'), ['take', this.#port], (number) => this.#received.add(number));
  }

  start() {
    this.#run(this.#netns, ['send', ADDRESS.world, this.#port], (number) => {
      this.sent = number;
    });
  }

  /** Resolves when ten of the datagrams that are sent from now on have come through. */
  async talks() {
    const before = this.sent;
    const isNew = (number) => number > before;
    const came = () => [...this.#received].filter(isNew).length >= 10;
    await waitFor(came, 'nothing of the pod comes through');
  }

  /** Resolves when some of what is sent from now on was lost. */
  async isMute() {
    const before = this.sent;
    const isLost = () => this.sent >= before + 30 && this.#lost(before, this.sent) >= 20;
    await waitFor(isLost, 'all of the pod comes through');
  }

  /** How many of those since `from` were overtaken by one that came through. */
  lostSince(from) {
    return this.#lost(from, Math.max(...this.#received));
  }

  #lost(from, to) {
    let lost = 0;
    for (let number = from + 1; number <= to; number++) if (!this.#received.has(number)) lost++;
    return lost;
  }

  stop() {
    for (const child of this.#children) child.kill();
  }

  #run(netns, words, onNumber) {
    const args = ['netns', 'exec', netns, process.execPath, CONVERSATION, ...words];
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface(child.stdout).on('line', (line) => onNumber(Number(line)));
    this.#children.push(child);
  }
}

/** Writes what the Cilium agent keeps on disk of an endpoint, with the names that its ep_config.json has. */
function writeEndpoint({ id, namespace, name, address, device }) {
  const folder = `/var/run/cilium/state/${id}`;
  mkdirSync(folder, { recursive: true });
  const endpoint = {
    ID: id,
    K8sNamespace: namespace,
    K8sPodName: name,
    IPv4: address,
    IfName: device,
    IfIndex: Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8')),
    ContainerIfName: 'eth0',
  };
  writeFileSync(`${folder}/ep_config.json`, JSON.stringify(endpoint));
}

const CONVERSATION = fileURLToPath(new URL('conversation.mjs', import.meta.url));
