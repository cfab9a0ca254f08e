/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What the kernel itself says of a source that it refuses, for kernels whose drop reasons do not say it, and for ARP, whose
 * refusals no drop shows. Each backend unpacks its arguments and calls the same three handlers:
 *
 *   on_refused    ip_handle_martian_source() runs for every refused source and for nothing else, so it costs nothing per
 *                 accepted packet
 *   on_validated  fib_validate_source() returns why it refused. It has 8 arguments; trampolines on x86 take more than 6
 *                 since v6.6
 *   on_result     ip_route_input_noref() hands on what fib_validate_source() returned, and has 5 arguments. Packets whose
 *                 route was taken over from the one before them do not pass through it (ip_route_use_hint())
 *
 * net/ipv4/route.c and net/ipv4/fib_frontend.c, v5.10 to v7.3. What they see joins the drop of the same skb, which follows on
 * the same CPU. The last two run for accepted packets too; where the kernel's counter is looked at (counter.h), on_refused suffices.
 */
#ifndef RPF_SOURCE_H
#define RPF_SOURCE_H

#define RPF_ETH_P_ARP 0x0806 /* include/uapi/linux/if_ether.h */

static __always_inline void fill_conf_of(struct rpf_flow *flow, struct drop *drop)
{
	struct in_device *in_dev = rpf_member(struct net_device, drop->device, ip_ptr);
	__u64 all = (__u64)rpf_member(struct net, drop->net, ipv4.devconf_all);

	if (!in_dev || !all)
		return;
	drop->flags |= RPF_CONF;
	flow->rp_filter_device = rpf_member(struct in_device, in_dev, cnf.data[IPV4_DEVCONF_RP_FILTER - 1]);
	flow->rp_filter_all = rpf_member(struct ipv4_devconf, all, data[IPV4_DEVCONF_RP_FILTER - 1]);
}

/* An ARP request that is not answered: arp_process() frees it as consumed, so this is the only place that shows it. */
static __always_inline int deliver_request(struct drop *drop, __u64 skb, __u64 device, __be32 saddr, __be32 daddr)
{
	struct rpf_flow *flow = &drop->flow;
	struct rpf_total_value *total;

	drop->skb = skb;
	drop->device = device;
	drop->protocol = RPF_ETH_P_ARP;
	drop->flags = RPF_DEVICE;
	drop->net = (__u64)rpf_member(struct net_device, device, nd_net.net);
	drop->netns_cookie = rpf_cookie_of(drop->net);
	drop->packet.flags = RPF_L3;
	flow->reason = RPF_REASON_ARP_REFUSED;
	flow->netns = rpf_member(struct net, drop->net, ns.inum);
	flow->ifindex = rpf_member(struct net_device, device, ifindex);
	copy_name(flow->device, device);
	drop->packet.family = 4;
	drop->packet.ethertype = RPF_ETH_P_ARP;
	drop->packet.src[0] = saddr;
	drop->packet.dst[0] = daddr;
	fill_addresses(flow, &drop->packet);
	flow->mark = rpf_member(struct sk_buff, skb, mark);
	fill_conf_of(flow, drop);
	total = total_of(drop->netns_cookie, flow->netns, flow->reason);
	if (!total)
		return 0;
	total->seen++;
	if (control.filters && !passes(flow))
		return 0;
	return deliver(drop, total);
}

static __always_inline int on_arp_refused(__u64 skb, __u64 device, __be32 saddr, __be32 daddr)
{
	return WITH_ROOM(drop, deliver_request(drop, skb, device, saddr, daddr));
}

static __always_inline bool is_arp(__u64 skb)
{
	return rpf_member(struct sk_buff, skb, protocol) == rpf_swap16(RPF_ETH_P_ARP);
}

/* As is_route_question(). It is asked in a task, which can be on another CPU when it frees the dummy: nothing may wait for that here. */
static __always_inline bool is_question_at(__u64 skb)
{
	return !rpf_member(struct sk_buff, skb, mac_header) && !rpf_member(struct sk_buff, skb, network_header) &&
	       rpf_member(struct sk_buff, skb, data) == rpf_member(struct sk_buff, skb, head);
}

/* What is known of this skb's source on this CPU, nothing so far where the last one was another's. */
static __always_inline struct rpf_refusal *refusal_of(__u64 skb)
{
	__u32 zero = 0;
	struct rpf_refusal *refusal = bpf_map_lookup_elem(&refusals, &zero);

	if (!refusal || refusal->skb == skb)
		return refusal;
	refusal->skb = skb;
	refusal->counter = 0;
	refusal->err = 0;
	refusal->refused = 0;
	return refusal;
}

/* An skb that is accepted is another one than that which was refused at its address before. */
static __always_inline int forget_refusal(__u64 skb)
{
	__u32 zero = 0;
	struct rpf_refusal *refusal = bpf_map_lookup_elem(&refusals, &zero);

	if (refusal && refusal->skb == skb)
		refusal->skb = 0;
	return 0;
}

static __always_inline int on_refused(__u64 device, __u64 skb, __be32 daddr, __be32 saddr)
{
	struct rpf_refusal *refusal;

	if (is_arp(skb))
		return on_arp_refused(skb, device, saddr, daddr);
	if (is_question_at(skb))
		return 0;
	refusal = refusal_of(skb);
	if (!refusal)
		return 0;
	refusal->refused = 1;
	if (settings.rpfilter_counter)
		remember_counter(refusal, device);
	return 0;
}

/* No drop follows an ARP request: what was remembered of it would join that of another skb at its address. */
static __always_inline int on_result(__u64 skb, int err, __u32 refused)
{
	struct rpf_refusal *refusal;

	if (err >= 0)
		return forget_refusal(skb);
	if (is_arp(skb) || is_question_at(skb))
		return 0;
	refusal = refusal_of(skb);
	if (!refusal)
		return 0;
	refusal->err = err;
	refusal->refused |= refused;
	return 0;
}

static __always_inline int on_validated(__u64 skb, int err)
{
	return on_result(skb, err, 1);
}

SEC("fentry/ip_handle_martian_source")
int BPF_PROG(rpf_refused_fentry, struct net_device *device, struct in_device *in_dev, struct sk_buff *skb,
	     __be32 daddr, __be32 saddr)
{
	return on_refused((__u64)device, (__u64)skb, daddr, saddr);
}

SEC("kprobe/ip_handle_martian_source")
int rpf_refused_kprobe(void *registers)
{
	return on_refused(rpf_argument_1(registers), rpf_argument_3(registers), rpf_argument_4(registers),
			  rpf_argument_5(registers));
}

/* Returns reasons since v6.13, which fib_validate_source() returns negative. */
SEC("fexit/ip_route_input_noref")
int BPF_PROG(rpf_result_fexit, struct sk_buff *skb, __be32 daddr, __be32 saddr, __u64 tos,
	     struct net_device *device, int err)
{
	return on_result((__u64)skb, err > 0 ? -err : err, 0);
}

/* The result stands behind the 8 arguments. */
SEC("fexit/fib_validate_source")
int rpf_validated_fexit(__u64 *arguments)
{
	return on_validated(arguments[0], arguments[8]);
}

/* Routes of received packets are looked up with bottom halves off, so that the return on a CPU is that of its last entry. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} validated SEC(".maps");

SEC("kprobe/fib_validate_source")
int rpf_validated_kprobe(void *registers)
{
	__u32 zero = 0;
	__u64 *skb = bpf_map_lookup_elem(&validated, &zero);

	if (skb)
		*skb = rpf_argument_1(registers);
	return 0;
}

SEC("kretprobe/fib_validate_source")
int rpf_validated_kretprobe(void *registers)
{
	__u32 zero = 0;
	__u64 *skb = bpf_map_lookup_elem(&validated, &zero);

	return skb ? on_validated(*skb, rpf_result(registers)) : 0;
}

#endif
