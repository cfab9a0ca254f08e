import { join } from 'node:path';
import { ROOT } from '../../../../src/root.js';

/** The files beside this one, also when this one was put into another. */
export const FOLDER = join(ROOT, 'test/kernel/support/containerd');

/** What containerd makes the sandbox of a pod from, and the tests their containers. */
export const PAUSE_IMAGE = 'registry.k8s.io/pause:3.6';
