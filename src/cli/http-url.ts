import { InvalidArgumentError } from 'commander';
import { isHttpUrl } from '../http-url.js';

/** "http://collector:4318", as it is. */
export function parseHttpUrl(text: string): string {
  if (isHttpUrl(text)) return text;
  throw new InvalidArgumentError('It is a URL like http://collector:4318.');
}
