import { packageText } from './package-file.js';

/** Version of this package, from its package.json. */
export const VERSION = (JSON.parse(packageText('package.json')) as { version: string }).version;
