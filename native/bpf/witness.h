/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The witness of the reverse lookup: remembers the last route lookups of each CPU, so that a drop can say which route the
 * kernel found for its source. It runs for every IPv4 lookup of the node, so it is attached only for seconds after a
 * reverse-path drop. The lookup and the drop happen in one softirq, hence on one CPU.
 */
#ifndef RPF_WITNESS_H
#define RPF_WITNESS_H

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rpf_lookups);
} lookups SEC(".maps");

static __always_inline void fill_hop(struct rpf_lookup *lookup, const struct fib_nh_common *hop)
{
	struct net_device *device = rpf_loose(struct fib_nh_common, hop)->nhc_dev;
	struct fib_info *info;

	lookup->scope = hop->nhc_scope;
	if (hop->nhc_gw_family == 2) /* AF_INET */
		lookup->gateway = hop->nhc_gw.ipv4;
	/* The common part is the first member of struct fib_nh. The parent is NULL in a nexthop object. */
	info = rpf_member(struct fib_nh, hop, nh_parent);
	if (info)
		lookup->type = rpf_member(struct fib_info, info, fib_type);
	if (!device)
		return;
	lookup->ifindex = device->ifindex;
	copy_name(lookup->device, (__u64)device);
}

SEC("tp_btf/fib_table_lookup")
int BPF_PROG(rpf_fib_lookup, __u32 table, const struct flowi4 *flow, const struct fib_nh_common *hop, int err)
{
	__u32 zero = 0;
	struct rpf_lookups *all = bpf_map_lookup_elem(&lookups, &zero);
	struct rpf_lookup *lookup;

	if (!all)
		return 0;
	lookup = &all->at[all->next & (RPF_LOOKUPS - 1)];
	__builtin_memset(lookup, 0, sizeof(*lookup));
	lookup->daddr = flow->daddr;
	lookup->saddr = flow->saddr;
	lookup->table = table;
	lookup->err = err;
	if (!err && hop)
		fill_hop(lookup, hop);
	all->next++;
	return 0;
}

/*
 * The newest lookup for the source of the drop. saddr of a reverse lookup is the drop's destination, 0 for broadcasts. It
 * comes after the lookup for the destination: one before that was made for another packet.
 */
static __always_inline void fill_witness(const struct rpf_packet *packet, struct rpf_detail *detail)
{
	__u32 zero = 0, i;
	struct rpf_lookups *all = bpf_map_lookup_elem(&lookups, &zero);

	if (!all || packet->family != 4)
		return;
	for (i = 1; i <= RPF_LOOKUPS; i++) {
		const struct rpf_lookup *lookup = &all->at[(all->next - i) & (RPF_LOOKUPS - 1)];

		if (lookup->daddr == packet->dst[0] && lookup->saddr == packet->src[0])
			return;
		if (lookup->daddr != packet->src[0] || (lookup->saddr != packet->dst[0] && lookup->saddr))
			continue;
		detail->flags |= RPF_WITNESS;
		detail->witness_table = lookup->table;
		detail->witness_err = lookup->err;
		detail->witness_ifindex = lookup->ifindex;
		detail->witness_gateway = lookup->gateway;
		detail->witness_type = lookup->type;
		detail->witness_scope = lookup->scope;
		__builtin_memcpy(detail->witness_device, lookup->device, RPF_NAME_BYTES);
		return;
	}
}

#endif
