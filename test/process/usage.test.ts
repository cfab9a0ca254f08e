import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Program, program, rpftrace } from './support/program.js';

describe('wrong usage ends with 2, says what is wrong and what to do, and prints nothing on stdout', () => {
  it.each([
    ['an unknown option', ['trace', '--bogus'], ["unknown option '--bogus'", '--help']],
    ['a misspelt option', ['trace', '--evry'], ["unknown option '--evry'", '--every']],
    ['an unknown output format', ['trace', '-o', 'xml'], ["'xml' is invalid", 'table, ndjson']],
    [
      'a reason that this kernel has not',
      ['trace', '--reason', 'IP_RPFILTR'],
      ['IP_RPFILTR', 'IP_RPFILTER?'],
    ],
    ['a device that is not there', ['trace', '--device', 'nosuchdev0'], ['no device nosuchdev0', 'ip link']],
    ['a network namespace that is not there', ['trace', '--netns', 'nosuchns'], ['nosuchns', 'ip netns']],
    ['a path that is no namespace', ['trace', '--netns', '/etc/passwd'], ['/etc/passwd', 'lsns']],
    ['a time without sense', ['trace', '--duration', 'soon'], ["'soon'", '10s']],
    ['a count of nothing', ['trace', '--count', '0'], ["'0'", 'from 1']],
    ['too many packet bytes', ['trace', '--snaplen', '4096'], ["'4096'", '2048']],
    ['rotation of a pipe', ['trace', '--rotate-size', '1M'], ['--rotate-size needs --out']],
    ['old files without rotation', ['trace', '--rotate-keep', '3'], ['--rotate-keep needs --rotate-size']],
  ])('%s', async (_what, args, words) => {
    const { code, stdout, stderr } = await rpftrace(args);

    expect(code).toBe(2);
    expect(stdout).toBe('');
    for (const word of words) expect(stderr).toContain(word);
    expect(stderr).toContain('What to do:');
  });

  it.each([
    ['tcp and and port 5', 'and', 8],
    ['frobnicate', 'frobnicate', 0],
    ['port 99999', '99999', 5],
    ['host 10.0.0.1 and (', undefined, 19],
  ])('a broken expression, its position marked: %s', async (expression, _word, position) => {
    const { code, stderr } = await rpftrace(['trace', expression]);
    const [, shown, marker = ''] = stderr.split('\n');

    expect(code).toBe(2);
    expect(shown).toBe(`  ${expression}`);
    expect(marker.indexOf('^')).toBe(2 + position);
    expect(stderr).toContain('[E_EXPRESSION]');
  });
});

it('the exit code is the same when nobody reads what is told', async () => {
  const child = spawn(program, ['trace', '--rotate-size', '1M'], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.destroy();
  expect(await once(child, 'exit')).toEqual([2, null]);
});

describe.each([
  ['help', ['--help']],
  ['help with examples after it', ['serve', '--help']],
  ['what the plugin of kubectl says before it', ['kubectl', '--help']],
  ['the version', ['--version']],
  ['the schema', ['schema']],
  ['the reasons', ['trace', '--reason', 'help']],
])('%s', (_what, args) => {
  it('that nobody reads is no error', async () => {
    const running = new Program(args);
    running.child.stdout?.destroy();
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('that cannot be written is one', async () => {
    const { code, stderr } = await rpftrace(args, { stdout: openSync('/dev/full', 'w') });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^rpftrace: cannot write to standard output: ENOSPC.*\[E_OUTPUT\]/),
    ]);
  });
});

describe('help', () => {
  it('lists the reasons of this kernel on standard output', async () => {
    const { code, stdout, stderr } = await rpftrace(['trace', '--reason', 'help']);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toContain('NO_SOCKET');
    expect(stderr).toBe('');
  });

  it('lists the commands', async () => {
    const { code, stdout, stderr } = await rpftrace(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatchInlineSnapshot(`
      "Usage: rpftrace [options] [command]

      Tells which packets the kernel drops, on which device, and why.

      Options:
        --version                        output the version number
        -h, --help                       display help for command

      Commands:
        trace [options] [expression...]  stream drops (default command)
        schema [what]                    print the JSON Schema of the events, or of
                                         what doctor tells
        doctor [options]                 what this kernel allows, and which pods would
                                         lose packets now or later; sends none
        serve [options] [expression...]  trace for days: one capture, many readers, by
                                         a unix socket and HTTP
        attach [options] [place...]      follow a running rpftrace serve, from
                                         anywhere that reaches it
        lab                              rebuild the incident on this machine, in
                                         network namespaces of its own
        help [command...]                help for a command
      "
    `);
  });

  it('explains trace', async () => {
    const { stdout } = await rpftrace(['trace', '--help']);
    expect(stdout).toMatchInlineSnapshot(`
      "Usage: rpftrace trace [options] [expression...]

      stream drops (default command)

      Arguments:
        expression              pcap-filter(7) expression, as for tcpdump: 'tcp and
                                dst port 443'

      Options:
        --rpf-only              only drops of a refused source: IP_RPFILTER,
                                IP_LOCAL_SOURCE, IP_INVALID_SOURCE, IP_LOCALNET
        --reason <name>         only this drop reason (repeatable); help lists those
                                of this kernel (default: all)
        --device <name>         only this device; a trailing * matches any rest
                                (repeatable) (default: all)
        --netns <netns>         only this network namespace: name, path or inode
                                number (repeatable) (default: all)
        -n, --namespace <ns>    only drops of pods of this namespace (repeatable)
                                (default: all)
        --pod <ns/name>         only drops of this pod, be it there yet or not
                                (repeatable) (default: all)
        -l, --selector <text>   only drops of pods with these labels:
                                'app=mssql,tier!=test'
        --this-pod              only drops of the pod that rpftrace runs in
        --every                 an event for each drop, instead of counting the drops
                                of a flow together
        --snaplen <bytes>       packet bytes with each drop, up to 2048 (256 with
                                pcapng)
        --interval <ms>         how often the counts of flows come out (default: 1000)
        --no-witness            never watch the kernel’s route lookups, as is done for
                                some seconds after a refused source
        --keep-capabilities     keep all capabilities; else those that are needed no
                                more are given up once all is attached
        --labels                with the labels of pods
        --node <name>           name of this machine in the events (default: NODE_NAME
                                or the host name)
        -o, --output <format>   what is written; table on a terminal, else ndjson
                                (choices: "table", "ndjson", "pcapng", "hubble")
        --duration <time>       end after this time: 500ms, 10s, 2m, 1h
        --count <n>             end after this many drop events
        --out <file>            write to this file, from its start
        --rotate-size <size>    begin a new file after this many bytes: 64k, 100M, 1G
        --rotate-keep <n>       old files to keep: FILE.1 is the newest (default: 5)
        --otlp <url>            send events and counts to an OpenTelemetry collector,
                                too: http://collector:4318
        --no-otlp-logs          send it no events: for Prometheus, which takes counts
                                only
        --no-otlp-metrics       send it no counts
        --kubernetes-events     write an Event to each pod that an incident hits, for
                                kubectl describe pod
        --ready-file <file>     a file that exists as long as rpftrace is attached
        --no-cilium             do not ask the Cilium agent for pods, nor read its
                                state files
        --cilium-socket <path>  socket of the Cilium agent (default:
                                /var/run/cilium/cilium.sock)
        --no-cri                do not ask the container runtime for pods
        --cri-socket <path>     socket of the container runtime (default: that of
                                containerd, CRI-O, k3s, k0s or MicroK8s)
        --no-kubernetes         do not ask the Kubernetes API for pods
        --no-processes          do not look for pods among the processes of this
                                machine
        --kubeconfig <file>     reach the Kubernetes API with this file (otherwise
                                $KUBECONFIG, the service account, ~/.kube/config)
        --context <name>        use this context of the kubeconfig
        --no-peers              do not ask the Kubernetes API for services and nodes
                                to name the other end
        -h, --help              display help for command
      "
    `);
  });

  it('knows its version', async () => {
    const { stdout } = await rpftrace(['--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
