/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What the kernel itself says of a source that it refuses, for kernels whose drop reasons do not say it, and for ARP, whose
 * refusals no drop shows. Each backend unpacks its arguments and calls the same two handlers:
 *
 *   on_refused   ip_handle_martian_source() runs for every refused source and for nothing else, so it costs nothing per
 *                accepted packet
 *   on_result    ip_route_input_noref() returns fib_validate_source()'s -EXDEV where rp_filter refused; it has 5 arguments,
 *                where trampolines before v6.6 (x86) take no more than 6 and fib_validate_source() has 8
 *
 * net/ipv4/route.c, v5.10 to v7.3. What they see joins the drop of the same skb, which follows on the same CPU.
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

static __always_inline int on_refused(__u64 device, __u64 skb, __be32 daddr, __be32 saddr)
{
	struct rpf_refusal *refusal;
	__u32 zero = 0;

	if (rpf_member(struct sk_buff, skb, protocol) == rpf_swap16(RPF_ETH_P_ARP))
		return on_arp_refused(skb, device, saddr, daddr);
	refusal = bpf_map_lookup_elem(&refusals, &zero);
	if (!refusal)
		return 0;
	refusal->skb = skb;
	refusal->err = 0;
	refusal->refused = 1;
	return 0;
}

static __always_inline int on_result(__u64 skb, int err)
{
	struct rpf_refusal *refusal;
	__u32 zero = 0;

	if (err >= 0)
		return 0;
	refusal = bpf_map_lookup_elem(&refusals, &zero);
	if (!refusal)
		return 0;
	if (refusal->skb != skb)
		refusal->refused = 0;
	refusal->skb = skb;
	refusal->err = err;
	return 0;
}

SEC("fentry/ip_handle_martian_source")
int BPF_PROG(rpf_refused_fentry, struct net_device *device, struct in_device *in_dev, struct sk_buff *skb,
	     __be32 daddr, __be32 saddr)
{
	return on_refused((__u64)device, (__u64)skb, daddr, saddr);
}

SEC("fexit/ip_route_input_noref")
int BPF_PROG(rpf_result_fexit, struct sk_buff *skb, __be32 daddr, __be32 saddr, __u64 tos,
	     struct net_device *device, int err)
{
	return on_result((__u64)skb, err);
}

#endif
