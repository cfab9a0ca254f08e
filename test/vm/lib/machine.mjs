import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARCHES } from './arch.mjs';
import { writeInitrd } from './initrd.mjs';
import { kernel } from './kernel.mjs';
import { packageImage } from './package.mjs';
import { qemu } from './qemu.mjs';
import { rootImage } from './root.mjs';

/**
 * Boots a kernel in an emulated machine, runs a command of bash there as root, and returns {code, stdout, stderr, console}: the
 * command's exit code and output, and what the kernel said. `code` is undefined where the machine died or ran out of time.
 *
 * `root` and `package` are images of file systems, else those of root.mjs and package.mjs. `boots` says what process 1 is: the `command`, or
 * `systemd`, which runs the command as a unit when all else has started, and `prepare` before anything has.
 *
 * `countsInstructions`: the guest's clocks go by a nanosecond with each instruction that its CPU, of which it has one, executes. What takes
 * time there says how many instructions that was, however busy this computer is.
 *
 * The package is at /opt/rpftrace, its node is the first in the PATH. Nothing that the guest writes is kept but what it writes
 * to `shares`: {directory of the guest: directory of the host}.
 */
export async function runInMachine({
  kernel: name,
  arch = 'x64',
  command,
  shares = {},
  append = '',
  cpus = 2,
  memoryMb = 2048,
  countsInstructions = false,
  timeoutMs = 600_000,
  root,
  package: packagePath,
  boots = 'command',
  prepare = '',
  onStdout,
  onStderr,
}) {
  const images = {
    ...(await kernel(name, { arch })),
    root: root ?? (await rootImage(arch)),
    package: packagePath ?? (await packageImage(arch)),
  };
  const busybox = arch === process.arch ? '/bin/busybox' : join(dirname(images.root), 'busybox');
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-vm-'));
  try {
    const control = join(scratch, 'control');
    writeControl(control, { boots, prepare, command, shares });
    const initrd = join(scratch, 'initrd');
    writeInitrd(initrd, { ...images, busybox });
    const consoleFile = join(scratch, 'console');
    const stdout = await listen(join(scratch, 'stdout'), onStdout);
    const stderr = await listen(join(scratch, 'stderr'), onStderr);
    const args = [
      ...ARCHES[arch].machine,
      ...(countsInstructions ? COUNTING : machine(cpus)),
      ...bare(memoryMb),
      ...[
        '-kernel',
        images.vmlinux,
        '-initrd',
        initrd,
        '-append',
        `${PARAMETERS} ${ARCHES[arch].parameters} ${append}`,
      ],
      ...['-chardev', `file,id=console,path=${consoleFile}`, ...ARCHES[arch].console],
      ...['-device', 'virtio-serial-pci', ...port(1, stdout), ...port(2, stderr)],
      ...[images.root, images.modules, images.package].flatMap(drive),
      ...files('control', control),
      ...Object.values(shares).flatMap((directory, number) => files(`share${number}`, resolve(directory))),
    ];
    await start([...(await qemu(arch)), ...args], timeoutMs);
    const output = { stdout: await stdout.end(), stderr: await stderr.end() };
    return { ...output, code: readCode(control), console: readOr(consoleFile, '') };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function writeControl(control, { boots, prepare, command, shares }) {
  mkdirSync(control);
  for (const [from, to] of Object.entries(STARTS[boots]))
    copyFileSync(fileURLToPath(new URL(`../guest/${from}`, import.meta.url)), join(control, to));
  const lines = Object.keys(shares).map((directory, number) => `share${number} ${directory}\n`);
  writeFileSync(join(control, 'shares'), lines.join(''));
  const setting = 'export PATH=/opt/rpftrace/node/bin:$PATH\ncd /opt/rpftrace/package\n';
  writeFileSync(join(control, 'command'), `${setting}${command}\n`);
  writeFileSync(join(control, 'prepare'), `${setting}${prepare}\n`);
}

/** What guest/init goes on with is called `start`; systemd runs `run` when it has booted. */
const STARTS = {
  command: { start: 'start' },
  systemd: { 'start-systemd': 'start', start: 'run' },
};

/** Emulated: what is asked of KVM a nested host may not give. */
function machine(cpus) {
  return ['-accel', 'tcg,thread=multi,tb-size=512', '-smp', String(cpus)];
}

/** Time in which the guest does nothing passes at once. */
const COUNTING = ['-accel', 'tcg,thread=single,tb-size=512', '-icount', 'shift=0,sleep=off', '-smp', '1'];

/** No display, no network, no disk that is written to. */
function bare(memoryMb) {
  return [
    ...['-m', String(memoryMb), '-nodefaults', '-no-user-config'],
    ...['-display', 'none', '-no-reboot', '-monitor', 'none'],
    ...['-object', 'rng-random,id=random,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=random'],
  ];
}

const PARAMETERS = 'quiet panic=-1 mitigations=off nokaslr audit=0 random.trust_cpu=on net.ifnames=0';

/** A serial port of the guest, which leads to a socket of ours. */
function port(number, { path }) {
  const device = `virtserialport,chardev=port${number},nr=${number}`;
  return ['-chardev', `socket,id=port${number},path=${path}`, '-device', device];
}

function drive(file) {
  return ['-drive', `file=${file},format=raw,if=virtio,readonly=on`];
}

function files(tag, directory) {
  const device = `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`;
  const driver = `local,id=${tag},path=${directory},security_model=none,multidevs=remap`;
  return ['-fsdev', driver, '-device', device];
}

const ENDS = ['exit', 'SIGINT', 'SIGTERM', 'SIGHUP'];

/** Takes what one writer sends to a socket at `path`; `end` resolves to all of it. */
async function listen(path, onText) {
  let text = '';
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (part) => {
      text += part;
      onText?.(part);
    });
    socket.on('error', () => undefined); // the machine was killed
  });
  await once(server.listen(path), 'listening');
  return {
    path,
    end: () => new Promise((done) => server.close(() => done(text))),
  };
}

function start([command, ...args], timeoutMs) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const onEnd = (signal) => {
    child.kill('SIGKILL'); // the machine must not outlive us
    if (typeof signal === 'string') process.kill(process.pid, signal);
  };
  for (const end of ENDS) process.once(end, onEnd);
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', () => {
      clearTimeout(timer);
      for (const end of ENDS) process.removeListener(end, onEnd);
      done();
    });
  });
}

function readCode(control) {
  const text = readOr(join(control, 'code'), '').trim();
  return text === '' ? undefined : Number(text);
}

function readOr(file, otherwise) {
  return existsSync(file) ? readFileSync(file, 'utf8') : otherwise;
}
