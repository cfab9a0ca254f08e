import { InvalidArgumentError } from 'commander';

/** "http://collector:4318", as it is. */
export function parseHttpUrl(text: string): string {
  const protocol = URL.canParse(text) ? new URL(text).protocol : undefined;
  if (protocol === 'http:' || protocol === 'https:') return text;
  throw new InvalidArgumentError('It is a URL like http://collector:4318.');
}
