/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Whether it was rp_filter that refused a source, from what the kernel counts, for kernels whose drop reasons do not say it.
 *
 * Between the refusal and the drop of a packet ip_rcv_finish_core() raises TcpExt IPReversePathFilter of this CPU and this network
 * namespace where rp_filter refused, and nothing else ever does (net/ipv4/ip_input.c, v5.10 to v7.3). All three happen on one CPU
 * with bottom halves off, so that no other packet's refusal comes in between. Nothing runs for accepted packets.
 *
 * Sources of packets to multicast groups are refused and counted without the function that sees refusals
 * (ip_mc_validate_source(), net/ipv4/route.c).
 */
#ifndef RPF_COUNTER_H
#define RPF_COUNTER_H

/* What comes back out of memory is no pointer to the verifier any more. */
static __always_inline __u64 as_number(volatile __u64 *room, const void *pointer)
{
	*room = (__u64)pointer;
	return *room;
}

/*
 * How far this CPU's own copy of per-CPU memory lies from where the kernel's pointers to it point: the value of our own map shows
 * it (percpu_array_map_lookup_elem(), kernel/bpf/arraymap.c).
 */
static __always_inline __u64 own_copy_offset(struct rpf_refusal *refusal)
{
	__u64 map = as_number(&refusal->counter, &refusals);

	return as_number(&refusal->counter, refusal) -
	       rpf_load64(map + bpf_core_field_offset(struct bpf_array, pptrs));
}

/* At the refusal. */
static __always_inline void remember_counter(struct rpf_refusal *refusal, __u64 device)
{
	__u64 net = (__u64)rpf_member(struct net_device, device, nd_net.net);
	__u64 statistics = rpf_load64(net + bpf_core_field_offset(struct net, mib.net_statistics));

	refusal->counter = statistics + own_copy_offset(refusal) + settings.rpfilter_counter;
	refusal->counted = rpf_load64(refusal->counter);
}

/* At the drop. */
static __always_inline bool has_counted(const struct rpf_refusal *refusal)
{
	return refusal->counter && rpf_load64(refusal->counter) - refusal->counted == 1;
}

#endif
