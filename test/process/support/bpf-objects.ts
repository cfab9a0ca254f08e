import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** BPF programs and links that a process holds, as /proc tells: "prog 12", "link 3". */
export function bpfObjectsOf(pid: number): string[] {
  const descriptors = readdirSync(`/proc/${pid}/fdinfo`);
  const lines = descriptors.flatMap((fd) => readDescriptor(pid, fd).split('\n'));
  const found = lines.map((line) => /^(prog|link)_id:\s*(\d+)$/.exec(line)).filter((match) => match !== null);
  return [...new Set(found.map(([, kind, id]) => `${kind} ${id}`))];
}

/** Whether the kernel still has it. */
export function exists(object: string): boolean {
  const [kind = '', id = ''] = object.split(' ');
  try {
    execFileSync('bpftool', [kind, 'show', 'id', id], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Empty when it was closed meanwhile: in our own process that is at least the one that the list was read by. */
function readDescriptor(pid: number, fd: string): string {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
