/** One of each kind: what a short run runs, and what a long one counts by flow too. */
export const MAIN_CASES = [
  'strict',
  'loose-unnumbered',
  'off',
  'no-route',
  'reply-path',
  'local-source',
  'multicast-source',
  'loopback-source',
  'nft-fib',
  'arp-refused',
  'writer',
];
