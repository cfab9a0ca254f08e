/** What reaches the lab's world is taken by a tc program without a drop, which a tracer would look at: it returns TC_ACT_STOLEN. */
export async function takeAllInWorld(lab) {
  await lab.inside(
    'world',
    `tc qdisc add dev eth0 ingress
     tc filter add dev eth0 ingress protocol all bpf direct-action bytecode '1,6 0 0 4,'`,
  );
}
