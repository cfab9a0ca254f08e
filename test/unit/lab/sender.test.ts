import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/lab.js';
import { SENDER, senderArguments } from '../../../src/lab/sender.js';

describe('rpftrace-send', () => {
  const ends = ['--src', '10.0.0.1', '--dst', '10.0.0.2'];

  it.each<[string, string[], RegExp]>([
    ['nothing', [], /say first what to send/],
    ['an unknown kind', ['sctp', ...ends], /'sctp' is none of/],
    ['no addresses', ['udp'], /--src and --dst are needed/],
    ['two families', ['udp', '--src', '::1', '--dst', '10.0.0.2'], /different families/],
    ['no address at all', ['udp', '--src', 'pod', '--dst', '10.0.0.2'], /--src: 'pod' is not an IP address/],
    ['a port too high', ['udp', ...ends, '--dst-port', '65536'], /--dst-port: 65536 is not between/],
    ['a negative number', ['udp', ...ends, '--count', '-1'], /--count: '-1' is not a number/],
    ['a number with a tail', ['udp', ...ends, '--ttl', '64x'], /--ttl: '64x' is not a number/],
    ['no MAC address', ['udp', ...ends, '--dst-mac', '1:2:3'], /--dst-mac: '1:2:3' is not a MAC address/],
    ['odd fragments', ['udp', ...ends, '--fragment', '801'], /not a multiple of 8/],
    ['one segment', ['udp', ...ends, '--gso', '1000'], /single segment/],
    ['IPv6 ARP', ['arp', '--src', '::1', '--dst', '::2'], /arp takes IPv4/],
    ['a word too many', ['udp', ...ends, 'now'], /'now' is one word too many/],
    ['an unknown option', ['udp', ...ends, '--fast'], /unrecognized option '--fast'/],
  ])('refuses %s', (_words, args, message) => {
    const { status, stdout, stderr } = spawnSync(SENDER, args, { encoding: 'utf8' });

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain('usage: rpftrace-send');
  });
});

describe('senderArguments', () => {
  it('writes a packet as the sender’s options', () => {
    const packet = { from: 'pod', kind: 'udp', src: '10.0.0.1', dst: '10.0.0.2', dstPort: 53 } as const;
    const words = senderArguments(new Lab('x'), packet, { count: 5 }).join(' ');

    expect(words).toMatch(
      /^udp --netns \/run\/netns\/x-pod --dst-mac \S+ --cpu \d+ --src 10.0.0.1 --dst 10.0.0.2 --dst-port 53 --count 5$/,
    );
  });
});
