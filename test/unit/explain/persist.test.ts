import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPersisted } from '../../../src/explain/persist.js';

const ALL = 'net.ipv4.conf.all.rp_filter';
const LXC = 'net.ipv4.conf.lxcabcd.rp_filter';

let root: string;
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'rpftrace-persist-'))}/`;
});
afterEach(() => rmSync(root, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

describe('the lines that will set a key again', () => {
  it('are none on a machine that sets nothing', () => {
    expect(findPersisted([ALL], root)).toEqual([]);
  });

  it('are told with file, line and value', () => {
    write('etc/sysctl.d/50-hardening.conf', '# CIS 3.3.7\n\nnet.ipv4.conf.all.rp_filter = 1\n');
    expect(findPersisted([ALL], root)).toEqual([
      { file: '/etc/sysctl.d/50-hardening.conf', line: 3, key: ALL, value: '1', by: 'sysctl' },
    ]);
  });

  it('are the last ones in the order of the names, whatever the folder', () => {
    write('usr/lib/sysctl.d/60-late.conf', `${ALL}=2`);
    write('etc/sysctl.d/50-early.conf', `${ALL}=1`);
    expect(findPersisted([ALL], root)).toMatchObject([
      { file: '/usr/lib/sysctl.d/60-late.conf', value: '2' },
    ]);
  });

  it('are not those of a file that one of the same name in an earlier folder masks', () => {
    write('usr/lib/sysctl.d/50-default.conf', `${ALL}=2`);
    mkdirSync(join(root, 'etc/sysctl.d'), { recursive: true });
    symlinkSync('/dev/null', join(root, 'etc/sysctl.d/50-default.conf'));
    expect(findPersisted([ALL], root)).toEqual([]);
  });

  it('are those of /etc/sysctl.conf last, once where a link leads to it', () => {
    write('etc/sysctl.conf', `${ALL}=1`);
    write('etc/sysctl.d/99-zz.conf', `${ALL}=2`);
    expect(findPersisted([ALL], root)).toMatchObject([{ file: '/etc/sysctl.conf', value: '1' }]);
    symlinkSync('../sysctl.conf', join(root, 'etc/sysctl.d/98-sysctl.conf'));
    expect(findPersisted([ALL], root)).toMatchObject([{ file: '/etc/sysctl.d/99-zz.conf', value: '2' }]);
  });

  it('may be patterns, which do not reach what is named or excluded', () => {
    write(
      'usr/lib/sysctl.d/50-default.conf',
      'net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n',
    );
    expect(findPersisted([LXC], root)).toMatchObject([{ key: 'net.ipv4.conf.*.rp_filter', value: '2' }]);
    expect(findPersisted([ALL], root)).toEqual([]);
    write(
      'etc/sysctl.d/10-cilium.conf',
      'net.ipv4.conf.lxc*.rp_filter = 0\nnet.ipv4.conf.lxcabcd.rp_filter=1',
    );
    expect(findPersisted([LXC], root)).toMatchObject([{ line: 2, value: '1' }]);
  });

  it('may be written with slashes, with dots in the name, and with a leading minus', () => {
    write('etc/sysctl.d/1.conf', '-net/ipv4/conf/eth0.100/rp_filter = 1');
    expect(findPersisted(['net/ipv4/conf/eth0.100/rp_filter'], root)).toMatchObject([{ value: '1' }]);
    write('etc/sysctl.d/2.conf', 'net.ipv4.conf.eth0/100.rp_filter = 2');
    expect(findPersisted(['net/ipv4/conf/eth0.100/rp_filter'], root)).toMatchObject([{ value: '2' }]);
  });

  it('may be those of the active tuned profile and what it includes', () => {
    write('etc/tuned/active_profile', 'node\n');
    write('etc/tuned/tuned-main.conf', '# x\nreapply_sysctl = 1\n');
    write('usr/lib/tuned/node/tuned.conf', '[main]\ninclude=base\n[sysctl]\nvm.swappiness=1\n');
    write('usr/lib/tuned/profiles/base/tuned.conf', `[main]\ninclude=node\n[sysctl]\n${ALL} = 1\n`);
    expect(findPersisted([ALL], root)).toEqual([
      { file: '/usr/lib/tuned/profiles/base/tuned.conf', line: 4, key: ALL, value: '1', by: 'tuned' },
    ]);
  });

  it('are not found in files that cannot be read, or make no sense', () => {
    mkdirSync(join(root, 'etc/sysctl.d/50-folder.conf'), { recursive: true });
    write('etc/sysctl.d/60.conf', '=\n-\nnet.ipv4.conf.[.rp_filter=1\n[x]\n\0\n');
    write('etc/sysctl.d/70.txt', `${ALL}=1`);
    expect(findPersisted([ALL, LXC], root)).toEqual([]);
  });
});
