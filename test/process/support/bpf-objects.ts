import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** BPF programs, maps and links that a process holds, as /proc tells: "prog 12", "map 7", "link 3". */
export function bpfObjectsOf(pid: number): string[] {
  const descriptors = readdirSync(`/proc/${pid}/fdinfo`);
  const lines = descriptors.flatMap((fd) => (readIfThere(`/proc/${pid}/fdinfo/${fd}`) ?? '').split('\n'));
  const found = lines
    .map((line) => /^(prog|map|link)_id:\s*(\d+)$/.exec(line))
    .filter((match) => match !== null);
  return [...new Set(found.map(([, kind, id]) => `${kind} ${id}`))];
}

/** Those that the kernel still has. */
export function stillThere(objects: readonly string[]): string[] {
  const there = new Set([...allOf('prog'), ...allOf('map'), ...allOf('link')]);
  return objects.filter((object) => there.has(object));
}

/** Whether the kernel still has it. */
export function exists(object: string): boolean {
  return stillThere([object]).length > 0;
}

/** From the whole list: `bpftool link show id` of bpftool 7.5 fails for links that are there. */
function allOf(kind: 'prog' | 'map' | 'link'): string[] {
  const json = execFileSync('bpftool', [kind, 'show', '-j'], { encoding: 'utf8', maxBuffer: 16 << 20 });
  return (JSON.parse(json) as { id: number }[]).map(({ id }) => `${kind} ${id}`);
}

/** A file below /proc: descriptors are closed and threads end while we read. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
