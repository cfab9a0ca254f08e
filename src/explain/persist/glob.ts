/** glob(7) of paths: no wildcard matches a slash. */
export function globToRegExp(glob: string): RegExp {
  const source = glob.replace(/\*|\?|\[[^\]]*\]|[.+^${}()|\\\]]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.startsWith('[')) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return `\\${part}`;
  });
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /(?!)/; // no valid pattern: it matches nothing
  }
}
