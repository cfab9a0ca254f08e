/** What containerd makes the sandbox of a pod from, and the tests their containers. */
export const PAUSE_IMAGE = 'registry.k8s.io/pause:3.6';
