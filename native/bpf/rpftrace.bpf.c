// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * The probe: sees every skb that the kernel frees as dropped, counts it, and sends what is known of it.
 *
 *   entry (one per arity of the tracepoint) -> on_drop: where, totals, filters
 *     -> send_whole (--every)       each drop is a record
 *     -> count_flow (default)       the first drops of a flow are records, the rest is counted in the flow table
 *
 * Functions marked rpf_function are global functions to the verifier: it checks each once instead of once per call and
 * path, which takes loading from 1.7 s to some 20 ms. Typed pointers do not survive such a call, so struct drop carries
 * addresses, and what stands behind them is read with rpf_member().
 */
#include "compat.h"

#include <asm-generic/errno-base.h>
#include <linux/ip.h>

#include "cbpf.h"
#include "parse.h"
#include "rpf_maps.h"
#include "rpf_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NETDEV_ALIGN 32	 /* include/linux/netdevice.h */
#define NO_OFFSET 0xffff /* an unset skb->mac_header or network_header, include/linux/skbuff.h */
#define ARPHRD_ETHER 1	 /* include/uapi/linux/if_arp.h */
#define ARPHRD_LOOPBACK 772
#define ETHERNET_BYTES 14
#define VLAN_BYTES 4
#define SKB_DST_PTRMASK (~1UL) /* include/linux/skbuff.h: the lowest bit says that it is not counted */
#define KIND_VETH 0x0000000068746576ULL /* "veth" */
#define MAX_SNAP 2048

const volatile struct rpf_settings settings SEC(".rodata.settings") = {};

struct rpf_control control SEC(".data.control");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 23); /* the core sets it */
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the core sets it: CPUs times slots */
	__type(key, __u32);
	__type(value, struct rpf_slot);
} flow_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RPF_TOTALS);
	__type(key, __u32);
	__type(value, struct rpf_total_value);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RPF_TOTALS);
	__type(key, struct rpf_total_key);
	__type(value, __u32);
} total_index SEC(".maps");

#ifdef RPF_LEGACY

/* The places in totals that are taken. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RPF_TOTALS);
	__type(key, __u32);
	__type(value, __u8);
} total_places SEC(".maps");

#endif

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RPF_TOTAL_CACHE);
	__type(key, __u32);
	__type(value, struct rpf_total_cache);
} total_cache SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256); /* RPF_MAX_NETNS of the core */
	__type(key, __u32);
	__type(value, __u8);
} netns_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64); /* RPF_MAX_REASONS of the core */
	__type(key, __u32);
	__type(value, __u8);
} reason_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RPF_MAX_POD_KEYS);
	__type(key, struct rpf_pod_key);
	__type(value, __u8);
} pod_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RPF_CBPF_MAX);
	__type(key, __u32);
	__type(value, struct rpf_cbpf_insn);
} expression SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rpf_refusal);
} refusals SEC(".maps");

/* Room that is too large for the stack: one per CPU, used by one program run at a time. */
struct scratch {
	struct rpf_cbpf cbpf;
	struct rpf_drop drop;
	__u8 snap[MAX_SNAP];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* One drop on its way through the program. */
struct drop {
	__u64 skb;
	__u64 device; /* 0: none */
	__u64 net;    /* 0: unknown */
	__u64 netns_cookie;
	__u32 flags;
	__u32 linear_end; /* offset of the end of the linear data from skb->head */
	__u32 nonlinear;  /* bytes of the packet after it */
	__u32 protocol;	  /* skb->protocol in host order */
	__u32 hash;	  /* of flow */
	__u32 depth;	  /* of runs that this one interrupts on its CPU; without RPF_LEGACY always 0 */
	struct rpf_window window;
	struct rpf_packet packet;
	struct rpf_flow flow;
};

/*
 * skb->dev shares its place with dev_scratch (UDP receive queue) and with an rb_node (TCP, netem), so what is there need
 * not be a device. A device's namespace has a loopback device that lies in that same namespace.
 */
static __always_inline bool is_net(struct net *net)
{
	return net && net->loopback_dev && net->loopback_dev->nd_net.net == net;
}

static __always_inline struct net *find_net(struct sk_buff *skb, struct sock *rx_sk)
{
	struct sock *sk = rpf_loose(struct sk_buff, skb)->sk;
	struct net *net = sk ? sk->__sk_common.skc_net.net : NULL;

	if (is_net(net))
		return net;
	net = rx_sk ? rx_sk->__sk_common.skc_net.net : NULL;
	return is_net(net) ? net : NULL;
}

static __always_inline void find_window(struct drop *drop, struct sk_buff *skb)
{
	__u32 header = skb->network_header, tail = skb->tail;

	drop->linear_end = tail;
	drop->nonlinear = skb->data_len;
	drop->protocol = rpf_swap16(skb->protocol);
	/* 0 is what an skb starts with; NET_SKB_PAD keeps a real header from ever lying there. */
	if (!header || header == NO_OFFSET || header > tail)
		return;
	drop->window.address = (__u64)skb->head + header;
	drop->window.linear = tail - header;
	drop->window.total = tail - header + drop->nonlinear;
}

static __always_inline void fill_addresses(struct rpf_flow *flow, const struct rpf_packet *packet)
{
	__builtin_memcpy(flow->src, packet->src, RPF_ADDRESS_BYTES);
	__builtin_memcpy(flow->dst, packet->dst, RPF_ADDRESS_BYTES);
	flow->src_port = packet->src_port;
	flow->dst_port = packet->dst_port;
	flow->ethertype = packet->ethertype;
	flow->family = packet->family;
	flow->protocol = packet->protocol;
}

static __always_inline void fill_flow(struct drop *drop, struct sk_buff *skb, struct net_device *device)
{
	struct rpf_flow *flow = &drop->flow;
	struct rpf_packet *packet = &drop->packet;
	struct in_device *in_dev;

	flow->mark = skb->mark;
	fill_addresses(flow, packet);
	if (!device || packet->family != 4)
		return;
	in_dev = device->ip_ptr;
	if (!in_dev)
		return;
	drop->flags |= RPF_CONF;
	flow->rp_filter_device = in_dev->cnf.data[IPV4_DEVCONF_RP_FILTER - 1];
	flow->rp_filter_all = device->nd_net.net->ipv4.devconf_all->data[IPV4_DEVCONF_RP_FILTER - 1];
}

/*
 * Whose socket it is: the one that the packet was for where the kernel says so (rx_sk), or found it early on the way in
 * (early demux); else the one that sent it. A sender's socket stays with its packet across a veth pair, up to
 * ip_rcv_core(), net/ipv4/ip_input.c; then it is one of another network namespace.
 */
static __always_inline void fill_socket(struct drop *drop, struct sk_buff *skb, struct sock *rx_sk)
{
	struct sock *sk = rx_sk ? rx_sk : rpf_loose(struct sk_buff, skb)->sk;
	struct net *net;

	if (!sk)
		return;
	net = sk->__sk_common.skc_net.net;
	if (!is_net(net))
		return; /* skb->sk shares its place with ip_defrag_offset */
	drop->flow.socket_cgroup = rpf_socket_cgroup(sk);
	if (rx_sk || (skb->skb_iif && (__u64)net == drop->net))
		drop->flags |= RPF_SOCKET_RECEIVES;
}

static __always_inline __u32 knob(__u64 conf, int index, __u32 flag)
{
	return rpf_member(struct ipv4_devconf, conf, data[index - 1]) ? flag : 0;
}

static __always_inline void fill_conf(const struct drop *drop, struct rpf_detail *detail)
{
	struct in_device *in_dev = rpf_member(struct net_device, drop->device, ip_ptr);
	__u64 all = (__u64)rpf_member(struct net, drop->net, ipv4.devconf_all);
	__u64 device = (__u64)in_dev + bpf_core_field_offset(struct in_device, cnf);

	if (rpf_member(struct in_device, in_dev, ifa_list))
		detail->flags |= RPF_DEVICE_HAS_IPV4;
	detail->knobs = knob(all, IPV4_DEVCONF_ACCEPT_LOCAL, RPF_ACCEPT_LOCAL_ALL) |
			knob(device, IPV4_DEVCONF_ACCEPT_LOCAL, RPF_ACCEPT_LOCAL_DEVICE) |
			knob(all, IPV4_DEVCONF_SRC_VMARK, RPF_SRC_VALID_MARK_ALL) |
			knob(device, IPV4_DEVCONF_SRC_VMARK, RPF_SRC_VALID_MARK_DEVICE) |
			knob(all, IPV4_DEVCONF_ROUTE_LOCALNET, RPF_ROUTE_LOCALNET_ALL) |
			knob(device, IPV4_DEVCONF_ROUTE_LOCALNET, RPF_ROUTE_LOCALNET_DEVICE) |
			knob(all, IPV4_DEVCONF_FORWARDING, RPF_FORWARDING_ALL) |
			knob(device, IPV4_DEVCONF_FORWARDING, RPF_FORWARDING_DEVICE);
}

static __always_inline void copy_name(char *to, __u64 device)
{
	__u64 from = device + bpf_core_field_offset(struct net_device, name);

	((__u64 *)to)[0] = rpf_load64(from);
	((__u64 *)to)[1] = rpf_load64(from + 8);
}

#include "witness.h"

static __always_inline void fill_kind(__u64 device, struct rpf_detail *detail)
{
	const struct rtnl_link_ops *ops = rpf_member(struct net_device, device, rtnl_link_ops);
	__u64 kind;
	int i;

	if (!ops)
		return;
	kind = (__u64)rpf_member(struct rtnl_link_ops, ops, kind);
	for (i = 0; i < RPF_NAME_BYTES - 1; i++) {
		char letter = rpf_load8(kind + i);

		if (!letter)
			break;
		detail->device_kind[i] = letter;
	}
}

/* netdev_priv(), include/linux/netdevice.h: the private part follows the device, aligned to NETDEV_ALIGN. */
static __always_inline __u64 veth_peer(__u64 device)
{
	__u64 private = device +
			((bpf_core_type_size(struct net_device) + NETDEV_ALIGN - 1) & ~(NETDEV_ALIGN - 1ULL));

	return (__u64)rpf_member(struct fib_nh_common, private, nhc_dev);
}

static __always_inline void fill_peer(__u64 device, struct rpf_detail *detail)
{
	__u64 peer = veth_peer(device), net, loopback;

	if (!peer)
		return; /* the pair is being taken apart */
	net = (__u64)rpf_member(struct net_device, peer, nd_net.net);
	loopback = (__u64)rpf_member(struct net, net, loopback_dev);
	if (!loopback || (__u64)rpf_member(struct net_device, loopback, nd_net.net) != net)
		return;
	detail->flags |= RPF_PEER;
	detail->peer_ifindex = rpf_member(struct net_device, peer, ifindex);
	detail->peer_netns = rpf_member(struct net, net, ns.inum);
	copy_name(detail->peer_device, peer);
}

static __always_inline void fill_device(__u64 device, struct rpf_detail *detail)
{
	detail->device_flags = rpf_member(struct net_device, device, flags);
	detail->device_type = rpf_member(struct net_device, device, type);
	fill_kind(device, detail);
	if (*(__u64 *)detail->device_kind == KIND_VETH)
		fill_peer(device, detail);
}

rpf_function int fill_detail(const struct drop *drop, struct rpf_detail *detail)
{
	const struct rpf_packet *packet;
	__u64 shared;

	if (!drop || !detail)
		return 0;
	packet = &drop->packet;
	shared = (__u64)rpf_member(struct sk_buff, drop->skb, head) + rpf_member(struct sk_buff, drop->skb, end);
	__builtin_memset(detail, 0, sizeof(*detail));
	detail->flags = drop->flags | packet->flags | (drop->nonlinear ? RPF_NONLINEAR : 0);
	if (rpf_member(struct sk_buff, drop->skb, _skb_refdst) & SKB_DST_PTRMASK)
		detail->flags |= RPF_ROUTED;
	detail->length = drop->window.total ? drop->window.total : rpf_member(struct sk_buff, drop->skb, len);
	detail->gso_size = rpf_member(struct skb_shared_info, shared, gso_size);
	detail->gso_segs = rpf_member(struct skb_shared_info, shared, gso_segs);
	detail->vlan_id = packet->vlan_id;
	detail->fragment_offset = packet->fragment_offset;
	detail->ttl = packet->ttl;
	detail->tcp_flags = packet->tcp_flags;
	detail->icmp_type = packet->icmp_type;
	detail->icmp_code = packet->icmp_code;
	/* A tag that the driver took out of the packet. */
	if (!(packet->flags & RPF_VLAN) && rpf_member(struct sk_buff, drop->skb, vlan_proto)) {
		detail->flags |= RPF_VLAN;
		detail->vlan_id = rpf_member(struct sk_buff, drop->skb, vlan_tci) & 0xfff;
	}
	detail->netns_cookie = drop->netns_cookie;
	if (drop->device)
		fill_device(drop->device, detail);
	if (drop->flags & RPF_CONF)
		fill_conf(drop, detail);
	if (control.witness)
		fill_witness(packet, detail);
	return 0;
}

static __always_inline void fill_record(const struct drop *drop, struct rpf_drop *record, __u32 snap_bytes)
{
	__builtin_memset(&record->task, 0, sizeof(record->task));
	record->header.size = sizeof(*record) + ((snap_bytes + 7) & ~7U);
	record->header.kind = RPF_RECORD_DROP;
	record->header.time_ns = bpf_ktime_get_ns();
	record->first_ns = record->header.time_ns;
	record->count = 1;
	record->skb = drop->skb;
	record->cpu = bpf_get_smp_processor_id();
	record->snap_bytes = snap_bytes;
	record->task.cgroup_id = bpf_get_current_cgroup_id();
	record->task.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(record->task.comm, sizeof(record->task.comm));
	record->flow = drop->flow;
	fill_detail(drop, &record->detail);
}

#ifdef RPF_LEGACY

#define PLACES_TRIED 8

/* Without an atomic counter a place is taken by being the first to write it down. 0: none was free. */
static __always_inline __u32 free_place(const struct rpf_total_key *key)
{
	__u32 first = key->netns ? 1 : RPF_TOTALS - RPF_TOTALS_OF_REASONS;
	__u32 count = key->netns ? control.pairs : RPF_TOTALS_OF_REASONS;
	__u32 hash = key->netns * 31 + key->reason, i, place;
	__u8 taken = 1;

	for (i = 0; i < PLACES_TRIED; i++) {
		place = first + (hash + i) % count;
		if (!bpf_map_update_elem(&total_places, &place, &taken, BPF_NOEXIST))
			return place;
	}
	return RPF_TOTAL_UNATTRIBUTED;
}

#else

/* Counts one more of what is taken. Returns which one it is, from 1 on; 0: none was left. */
static __always_inline __u32 take_next(__u32 *taken, __u32 count)
{
	__u32 before = *(volatile __u32 *)taken; /* or else it would wrap after 2^32 that find none */

	if (before < count)
		before = __sync_fetch_and_add(taken, 1);
	return before < count ? before + 1 : 0;
}

static __always_inline __u32 free_place(const struct rpf_total_key *key)
{
	__u32 reason;

	if (key->netns)
		return take_next(&control.pairs_taken, control.pairs);
	reason = take_next(&control.reasons_taken, RPF_TOTALS_OF_REASONS);
	return reason ? RPF_TOTALS - reason : RPF_TOTAL_UNATTRIBUTED;
}

#endif

/* A pair that is seen for the first time gets a place. */
rpf_function int place_of(__u64 cookie, __u32 netns, __u32 reason)
{
	struct rpf_total_key key = { .netns_cookie = cookie, .netns = netns, .reason = reason };
	__u32 *known = bpf_map_lookup_elem(&total_index, &key), place;

	if (known)
		return *known;
	place = free_place(&key);
	if (place == RPF_TOTAL_UNATTRIBUTED)
		return RPF_TOTAL_UNATTRIBUTED;
	if (!bpf_map_update_elem(&total_index, &key, &place, BPF_NOEXIST))
		return place;
	known = bpf_map_lookup_elem(&total_index, &key); /* another CPU was faster, or the map is full */
	return known ? *known : RPF_TOTAL_UNATTRIBUTED;
}

static __always_inline struct rpf_total_value *total_of(__u64 cookie, __u32 netns, __u32 reason)
{
	__u32 line = (netns ^ reason) & (RPF_TOTAL_CACHE - 1), place;
	struct rpf_total_cache *cache = bpf_map_lookup_elem(&total_cache, &line);

	if (!cache)
		return NULL;
	if (!cache->place || cache->key.netns_cookie != cookie || cache->key.netns != netns ||
	    cache->key.reason != reason) {
		cache->place = 0; /* an interrupt must not find the old place under the new key */
		cache->key.netns_cookie = cookie;
		cache->key.netns = netns;
		cache->key.reason = reason;
		place = place_of(cookie, netns, reason);
		cache->place = place ? place : place_of(0, 0, reason);
	}
	place = cache->place;
	return bpf_map_lookup_elem(&totals, &place);
}

/*
 * The reader sleeps only when it has told so, and then one record wakes it; else it comes by itself within a tick. Called
 * after the record has its place in the ring: the atomic read is a full barrier, so either we see that the reader is
 * about to sleep, or it sees our record.
 */
static __always_inline __u64 wake_flags(void)
{
	if (!rpf_read_flag(&control.idle))
		return BPF_RB_NO_WAKEUP;
	control.idle = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/* Where the packet bytes start: the Ethernet header where there is one, else the network header, else skb->data. */
static __always_inline __u32 snap_start(const struct drop *drop, __u32 *flags)
{
	__u32 network = rpf_member(struct sk_buff, drop->skb, network_header);
	__u32 mac = rpf_member(struct sk_buff, drop->skb, mac_header), type = 0;

	if (!drop->window.total)
		return rpf_member(struct sk_buff, drop->skb, data) - rpf_member(struct sk_buff, drop->skb, head);
	if (drop->device)
		type = rpf_member(struct net_device, drop->device, type);
	if ((type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK) || mac == NO_OFFSET ||
	    network - mac < ETHERNET_BYTES || network - mac > ETHERNET_BYTES + 8)
		return network;
	*flags |= RPF_SNAP_MAC;
	return mac;
}

/* Copies linear bytes [start, start + bytes) of the packet. Never reads past the linear data. */
static __always_inline __u32 copy_snap(const struct drop *drop, __u8 *to, __u32 start, __u32 bytes)
{
	__u64 at = (__u64)rpf_member(struct sk_buff, drop->skb, head) + start;
	__u32 i, whole;

	if (start > drop->linear_end)
		return 0;
	if (bytes > drop->linear_end - start)
		bytes = drop->linear_end - start;
	whole = bytes / 8;
	for (i = 0; i < MAX_SNAP / 8 && i < whole; i++)
		((__u64 *)to)[i] = rpf_load64(at + i * 8);
	for (i = 0; i < 8; i++) {
		__u32 last = whole * 8 + i;

		if (last < MAX_SNAP)
			to[last] = last < bytes ? rpf_load8(at + last) : 0;
	}
	return bytes;
}

/* A wake-up of its own: bpf_ringbuf_output() takes its flags before the record has its place. */
static __always_inline void wake_reader(void)
{
	__u64 flags = wake_flags(), *nothing;

	if (flags == BPF_RB_NO_WAKEUP)
		return;
	nothing = bpf_ringbuf_reserve(&ring, sizeof(*nothing), 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, flags);
	else
		control.idle = 1; /* not woken: the next record tries again */
}

static __always_inline bool send_with_snap(const struct drop *drop)
{
	__u32 zero = 0, flags = 0, start, wanted, total, bytes;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

	if (!scratch)
		return false;
	start = snap_start(drop, &flags);
	total = drop->linear_end + drop->nonlinear - start;
	wanted = settings.snaplen < total ? settings.snaplen : total;
	if (wanted > MAX_SNAP)
		wanted = MAX_SNAP;
	bytes = copy_snap(drop, scratch->snap, start, wanted);
	if (bytes < wanted)
		flags |= RPF_SNAP_NONLINEAR;
	fill_record(drop, &scratch->drop, bytes);
	scratch->drop.detail.flags |= flags;
	bytes = (bytes + 7) & ~7U;
	if (bytes > MAX_SNAP)
		bytes = MAX_SNAP;
	if (bpf_ringbuf_output(&ring, &scratch->drop, sizeof(scratch->drop) + bytes, BPF_RB_NO_WAKEUP))
		return false;
	wake_reader();
	return true;
}

static __always_inline bool send_record(const struct drop *drop)
{
	struct rpf_drop *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return false;
	fill_record(drop, record, 0);
	bpf_ringbuf_submit(record, wake_flags());
	return true;
}

rpf_function int send_whole(const struct drop *drop)
{
	struct rpf_total_value *total;

	if (!drop || (settings.snaplen ? send_with_snap(drop) : send_record(drop)))
		return 0;
	total = total_of(drop->netns_cookie, drop->flow.netns, drop->flow.reason);
	if (total)
		total->lost++;
	rpf_raise_flag(&control.lost); /* after the count: the core resets it before it reads */
	return 0;
}

#define FLOW_WORDS (sizeof(struct rpf_flow) / 8)

/* Multilinear hash: the products do not wait for one another, and the high half of their sum depends on every bit. */
static __always_inline __u32 hash_flow(const struct rpf_flow *flow)
{
	const __u64 *word = (const __u64 *)flow;
	__u64 odd = 0x9e3779b97f4a7c15ULL, sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < (int)FLOW_WORDS; i++) {
		sum += (word[i] ^ word[i] >> 32) * odd;
		odd = odd * 0xd1342543de82ef95ULL + 2; /* constant once unrolled; stays odd */
	}
	return (sum ^ sum >> 29) >> 32;
}

static __always_inline bool same_flow(const struct rpf_flow *a, const struct rpf_flow *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;
	__u64 difference = 0;
	int i;

#pragma unroll
	for (i = 0; i < (int)FLOW_WORDS; i++)
		difference |= x[i] ^ y[i];
	return !difference;
}

/* true: the drop is counted. false: the slot was freed or belongs to another flow. */
static __always_inline bool count_in(struct rpf_slot *slot, const struct rpf_flow *flow)
{
	int i;

	/* The core can take the count between our read and our swap, once per interval; an interrupt can count too. */
	for (i = 0; i < 3; i++) {
		__u64 word = *(volatile __u64 *)&slot->word;

		if (!(word & RPF_SLOT_LIVE) || !same_flow(&slot->flow, flow))
			return false;
		/* Reading the clock would cost more than the rest of counting; jiffies are one load. */
		slot->last_jiffies = bpf_jiffies64();
		if (!(word & RPF_SLOT_COUNT_MASK))
			slot->first_jiffies = slot->last_jiffies;
		if (rpf_count_word(&slot->word, word))
			return true;
	}
	return false;
}

static __always_inline bool claim(struct rpf_slot *slot, const struct drop *drop, const struct rpf_flow *flow)
{
	__u64 word = *(volatile __u64 *)&slot->word;
	__u64 next;

	if (word & (RPF_SLOT_LIVE | RPF_SLOT_BUSY | RPF_SLOT_DYING))
		return false;
	next = (word + RPF_SLOT_GENERATION) & RPF_SLOT_GENERATION_MASK;
	if (!rpf_take_word(&slot->word, word, next | RPF_SLOT_BUSY))
		return false;
	slot->flow = *flow;
	fill_detail(drop, &slot->detail);
	/* Whoever claims a slot sends the drop that made it do so, or counts it as coarse. */
	slot->whole = control.whole_before + 1;
	rpf_publish_word(&slot->word, next | RPF_SLOT_LIVE);
	control.claimed = 1; /* after the slot is there: the core resets it before it looks for slots */
	return true;
}

static __always_inline struct rpf_slot *slot_at(__u32 index)
{
	__u32 key = bpf_get_smp_processor_id() * settings.slots_per_cpu + index;

	return bpf_map_lookup_elem(&flow_table, &key);
}

/*
 * Looking for a slot and filling it are apart, and the drop that goes out whole does so at one place: the verifier of old
 * kernels looks at what is called in a loop once for each turn of it.
 */
static __always_inline struct rpf_slot *find_slot(const struct rpf_flow *flow, __u32 first, __u32 hash,
						  __u32 mask, __u32 probes)
{
	__u32 i;

	for (i = 0; i < probes; i++) {
		struct rpf_slot *slot = slot_at(first + ((hash + i) & mask));

		if (slot && slot->word & RPF_SLOT_LIVE && same_flow(&slot->flow, flow))
			return slot;
	}
	return NULL;
}

static __always_inline struct rpf_slot *find_free(__u32 first, __u32 hash, __u32 mask, __u32 probes)
{
	__u32 i;

	for (i = 0; i < probes; i++) {
		struct rpf_slot *slot = slot_at(first + ((hash + i) & mask));

		if (slot && !(slot->word & (RPF_SLOT_LIVE | RPF_SLOT_BUSY | RPF_SLOT_DYING)))
			return slot;
	}
	return NULL;
}

/* The flow table is full: counts the drop by what the drops of a flood have in common. */
static __always_inline bool count_coarse(const struct drop *drop)
{
	struct rpf_flow coarse = drop->flow;
	struct rpf_total_value *total = total_of(drop->netns_cookie, coarse.netns, coarse.reason);
	__u32 first = settings.flow_mask + 1, hash;
	struct rpf_slot *slot;

	if (total)
		total->coarse++;
	coarse.mark = 0;
	coarse.socket_cgroup = 0;
	__builtin_memset(coarse.src, 0, sizeof(coarse.src));
	__builtin_memset(coarse.dst, 0, sizeof(coarse.dst));
	coarse.src_port = 0;
	coarse.dst_port = 0;
	coarse.protocol = 0;
	hash = hash_flow(&coarse);
	slot = find_slot(&coarse, first, hash, RPF_COARSE_SLOTS - 1, RPF_COARSE_PROBES);
	if (!slot) {
		slot = find_free(first, hash, RPF_COARSE_SLOTS - 1, RPF_COARSE_PROBES);
		if (!slot || !claim(slot, drop, &coarse))
			return false;
		slot->detail.flags |= RPF_COARSE;
	}
	return count_in(slot, &coarse);
}

/* Returns 1 where the drop has to go out whole. */
rpf_function int count_flow(const struct drop *drop)
{
	struct rpf_slot *slot;

	if (!drop)
		return 0;
	slot = find_slot(&drop->flow, 0, drop->hash, settings.flow_mask, RPF_PROBES);
	if (slot && slot->whole < control.whole_per_flow) {
		/* However often lookups were watched while the flow was silent, one drop tells what was seen. */
		if (slot->whole < control.whole_before)
			slot->whole = control.whole_before;
		slot->whole++;
		return 1;
	}
	if (slot && count_in(slot, &drop->flow))
		return 0;
	slot = find_free(0, drop->hash, settings.flow_mask, RPF_PROBES);
	if (slot && claim(slot, drop, &drop->flow))
		return 1;
	return !count_coarse(drop);
}

#ifndef RPF_LEGACY

/* The drop of a flow that is where it should be, as nearly all drops of a flood are. */
static __always_inline bool count_fast(const struct drop *drop)
{
	struct rpf_slot *slot = slot_at(drop->hash & settings.flow_mask);

	return slot && slot->whole >= control.whole_per_flow && count_in(slot, &drop->flow);
}

#endif

static __always_inline bool matches_pattern(const struct rpf_flow *flow)
{
	const __u64 *name = (const __u64 *)flow->device;
	__u32 i;

	for (i = 0; i < RPF_PATTERNS && i < control.pattern_count; i++) {
		const struct rpf_pattern *pattern = &control.patterns[i];

		if (!((name[0] ^ pattern->value[0]) & pattern->mask[0]) &&
		    !((name[1] ^ pattern->value[1]) & pattern->mask[1]))
			return true;
	}
	return false;
}

/* Netns, reason and device: what is known before the packet is read. */
static __always_inline bool passes(const struct rpf_flow *flow)
{
	__u32 filters = control.filters;

	if (filters & RPF_FILTER_REASON && !bpf_map_lookup_elem(&reason_filter, &flow->reason))
		return false;
	if (filters & RPF_FILTER_NETNS && !bpf_map_lookup_elem(&netns_filter, &flow->netns))
		return false;
	return !(filters & RPF_FILTER_DEVICE) || matches_pattern(flow);
}

#ifdef RPF_LEGACY

/* Never asked: the core refuses expressions where there is no bpf_loop. */
static __always_inline int passes_expression(const struct drop *drop)
{
	return 1;
}

#else

static int run_expression_step(__u32 i, struct rpf_cbpf **state)
{
	__u32 pc = (*state)->pc;
	struct rpf_cbpf_insn *insn = bpf_map_lookup_elem(&expression, &pc);

	return insn ? rpf_cbpf_step(*state, insn) : 1;
}

/* The Ethernet header that most skbs in the network layer have no more, made up from the ethertype. Returns its bytes. */
static __always_inline __u32 put_ethernet(const struct drop *drop, __u8 *packet)
{
	__u32 i, vlan = 0, tci;

	for (i = 0; i < ETHERNET_BYTES - 2; i++)
		packet[i] = 0;
	/* A tag that the driver took out of the packet: for expressions that ask for tags it is put back. */
	if (control.filters & RPF_FILTER_VLAN)
		vlan = rpf_swap16(rpf_member(struct sk_buff, drop->skb, vlan_proto));
	if (!vlan) {
		packet[12] = drop->protocol >> 8;
		packet[13] = drop->protocol;
		return ETHERNET_BYTES;
	}
	tci = rpf_member(struct sk_buff, drop->skb, vlan_tci);
	packet[12] = vlan >> 8;
	packet[13] = vlan;
	packet[14] = tci >> 8;
	packet[15] = tci;
	packet[16] = drop->protocol >> 8;
	packet[17] = drop->protocol;
	return ETHERNET_BYTES + VLAN_BYTES;
}

/* The packet as tcpdump would see it on an Ethernet. */
rpf_function int passes_expression(const struct drop *drop)
{
	__u32 zero = 0, bytes, start, i;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	struct rpf_cbpf *state;

	if (!drop || !scratch)
		return 0;
	state = &scratch->cbpf;
	start = put_ethernet(drop, state->packet);
	bytes = drop->window.linear;
	if (bytes > RPF_CBPF_BYTES - start)
		bytes = RPF_CBPF_BYTES - start;
	for (i = 0; i < RPF_CBPF_BYTES - ETHERNET_BYTES && i < bytes; i++)
		state->packet[(start + i) & (RPF_CBPF_BYTES - 1)] = rpf_load8(drop->window.address + i);
	state->pc = 0;
	state->a = 0;
	state->x = 0;
	state->accept = 0;
	state->captured = start + bytes;
	state->wire = start + drop->window.total;
	for (i = 0; i < RPF_CBPF_CELLS; i++)
		state->cell[i] = 0;
	bpf_loop(RPF_CBPF_MAX, run_expression_step, &state, 0);
	return state->accept != 0;
}

#endif

rpf_function int parse_packet(struct drop *drop)
{
	if (!drop)
		return 0;
	if (drop->window.total) {
		rpf_parse(&drop->window, drop->protocol, &drop->packet);
	} else {
		drop->packet.flags = RPF_L3_ABSENT;
		drop->packet.ethertype = drop->protocol;
	}
	return 0;
}

static __always_inline bool is_pod_key(__u32 kind, __u32 number, const void *bytes)
{
	struct rpf_pod_key key = { .kind = kind, .number = number };

	if (bytes)
		__builtin_memcpy(key.bytes, bytes, sizeof(key.bytes));
	return bpf_map_lookup_elem(&pod_filter, &key) != NULL;
}

/* Of a device that was renamed, letters of its old name may stand behind the terminator: they are no part of the key. */
static __always_inline bool is_pod_device(const char *name)
{
	char clean[RPF_NAME_BYTES] = {};
	int i;

	for (i = 0; i < RPF_NAME_BYTES && name[i]; i++)
		clean[i] = name[i];
	return is_pod_key(RPF_POD_DEVICE, 0, clean);
}

static __always_inline bool is_pod_cgroup(__u64 id)
{
	__u64 bytes[2] = { id };

	return id && is_pod_key(RPF_POD_CGROUP, 0, bytes);
}

/* Whether the packet is one of a pod that is asked for. Devices by name: ifindexes are those of any network namespace. */
rpf_function int is_of_pod(const struct drop *drop)
{
	if (!drop)
		return 0;
	if (is_pod_key(RPF_POD_NETNS, drop->flow.netns, NULL) || is_pod_device(drop->flow.device) ||
	    is_pod_cgroup(drop->flow.socket_cgroup))
		return 1;
	if (drop->flow.family != RPF_POD_IPV4 && drop->flow.family != RPF_POD_IPV6)
		return 0;
	return is_pod_key(drop->flow.family, 0, drop->flow.src) ||
	       is_pod_key(drop->flow.family, 0, drop->flow.dst);
}

/* What is known only after the packet was read. */
static __always_inline bool passes_packet(const struct drop *drop)
{
	if (control.filters & RPF_FILTER_PODS && !is_of_pod(drop))
		return false;
	return !settings.has_expression || !(control.filters & RPF_FILTER_EXPRESSION) || passes_expression(drop);
}

/* Plain IPv4 in line, since a call costs as much as the parsing; the rest by the call. */
static __always_inline void parse_fast(struct drop *drop)
{
	if (drop->protocol != RPF_ETH_P_IP || !drop->window.total) {
		parse_packet(drop);
		return;
	}
	drop->packet.ethertype = RPF_ETH_P_IP;
	rpf_parse_ipv4(&drop->window, 0, &drop->packet);
}

/*
 * The kernel asks itself with a dummy when it is asked for a route (RTM_GETROUTE: `ip route get`, and our own lookups), and
 * frees it as a drop when there is none. It never was on its way. It alone has an Ethernet header at offset 0:
 * inet_rtm_getroute_build_skb(), net/ipv4/route.c, v4.18 and newer.
 */
static __always_inline bool is_route_question(struct sk_buff *skb)
{
	return !skb->mac_header && !skb->network_header && skb->data == skb->head &&
	       skb->protocol == rpf_swap16(RPF_ETH_P_IP);
}

#ifdef RPF_LEGACY

/* A run that interrupts another leaves the flow slots alone: its drop is sent whole. */
static __always_inline int count_alone(const struct drop *drop)
{
	return drop->depth ? 1 : count_flow(drop);
}

#else

static __always_inline int count_alone(const struct drop *drop)
{
	return count_fast(drop) ? 0 : count_flow(drop);
}

#endif

/* What passed the filters on all that stands in the flow. */
static __always_inline int deliver(struct drop *drop, struct rpf_total_value *total)
{
	if (control.filters & (RPF_FILTER_EXPRESSION | RPF_FILTER_PODS) && !passes_packet(drop))
		return 0;

	total->matched++;
	if (!settings.every) {
		drop->hash = hash_flow(&drop->flow);
		if (!count_alone(drop))
			return 0;
	}
	return send_whole(drop);
}

#include "counter.h"

static __always_inline bool is_by_filter(const struct rpf_refusal *refusal)
{
	return refusal->err ? refusal->err == settings.rpfilter_result : has_counted(refusal);
}

/* Joins what the hooks of source.h saw of this skb. Returns the reason where the kernel has none of its own for it. */
static __always_inline __u32 join_refusal(struct drop *drop, __u32 reason)
{
	__u32 zero = 0;
	struct rpf_refusal *refusal = bpf_map_lookup_elem(&refusals, &zero);

	if (!refusal || refusal->skb != drop->skb)
		return reason;
	refusal->skb = 0; /* the next skb at this address is another one */
	if (refusal->refused)
		drop->flags |= RPF_SOURCE_REFUSED;
	return settings.rpfilter_reason && is_by_filter(refusal) ? settings.rpfilter_reason : reason;
}

static __always_inline int fill_and_deliver(struct drop *drop, struct sk_buff *skb, void *location,
					    __u32 reason, struct sock *rx_sk)
{
	struct net_device *device = rpf_loose(struct sk_buff, skb)->dev;
	struct net *net = device ? device->nd_net.net : NULL;
	struct rpf_total_value *total;

	drop->skb = (__u64)skb;
	if (settings.join_refusals)
		reason = join_refusal(drop, reason);
	if (is_route_question(skb))
		return 0;
	if (device && !is_net(net)) {
		drop->flags |= RPF_DEVICE_STALE;
		device = NULL;
	}
	if (!device)
		net = find_net(skb, rx_sk); /* a locally generated packet: its socket knows the namespace */
	drop->net = (__u64)net;
	drop->device = (__u64)device;
	drop->flow.location = (__u64)location;
	drop->flow.reason = reason;
	if (net) {
		drop->flow.netns = net->ns.inum;
		drop->netns_cookie = rpf_netns_cookie(net);
	}
	if (device) {
		drop->flags |= RPF_DEVICE;
		drop->flow.ifindex = device->ifindex;
		__builtin_memcpy(drop->flow.device, device->name, RPF_NAME_BYTES);
	}
	total = total_of(drop->netns_cookie, drop->flow.netns, reason);
	if (!total)
		return 0;
	total->seen++;
	if (control.filters && !passes(&drop->flow))
		return 0;

	find_window(drop, skb);
	parse_fast(drop);
	fill_flow(drop, skb, device);
	fill_socket(drop, skb, rx_sk);
	return deliver(drop, total);
}

#ifdef RPF_LEGACY

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} depths SEC(".maps");

/* A task, a softirq, an interrupt and an NMI can be on a CPU at once. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct drop);
} rooms SEC(".maps");

/*
 * What the verifier knows of a value on the stack it carries on into every static function, and looks at these once for each
 * thing that it knows. Of what lies in a map it knows nothing, which takes loading from seconds to a fraction of one.
 */
#define WITH_ROOM(drop, work) \
	({ \
		__u32 _zero = 0, _level; \
		volatile __u32 *_depth = bpf_map_lookup_elem(&depths, &_zero); \
		struct drop *drop; \
		if (!_depth) \
			return 0; \
		_level = *_depth; \
		drop = bpf_map_lookup_elem(&rooms, &_level); \
		if (!drop) \
			return 0; \
		*_depth = _level + 1; \
		__builtin_memset(drop, 0, sizeof(*drop)); \
		drop->depth = _level; \
		work; \
		*_depth = _level; \
		0; \
	})

#else

#define WITH_ROOM(drop, work) \
	({ \
		struct drop _room = {}, *drop = &_room; \
		work; \
	})

#endif

static __always_inline int on_drop(struct sk_buff *skb, void *location, __u32 reason, struct sock *rx_sk)
{
	return WITH_ROOM(drop, fill_and_deliver(drop, skb, location, reason, rx_sk));
}

#include "source.h"
#include "sysctl.h"
#include "exec.h"

/* The tracepoint's arguments, include/trace/events/skb.h: v5.10; reason since v5.17; rx_sk since v6.11. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(rpf_kfree_skb_2, struct sk_buff *skb, void *location)
{
	return on_drop(skb, location, 0, NULL);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(rpf_kfree_skb_3, struct sk_buff *skb, void *location, __u32 reason)
{
	return on_drop(skb, location, reason, NULL);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(rpf_kfree_skb_4, struct sk_buff *skb, void *location, __u32 reason, struct sock *rx_sk)
{
	return on_drop(skb, location, reason, rpf_loose(struct sock, rx_sk));
}

/* The programs below are not attached: the core runs them. */

struct rpf_clock clock SEC(".data.clock");

SEC("raw_tp")
int rpf_read_clock(void *ctx)
{
	clock.time_ns = bpf_ktime_get_ns();
	clock.jiffies = bpf_jiffies64();
	return 0;
}

#ifndef RPF_LEGACY /* there the core reads /proc/kallsyms */

/* The core runs it with an address as its argument and reads the answer from symbol. */
char symbol[RPF_SYMBOL_BYTES] SEC(".data.symbol");

SEC("raw_tp")
int rpf_name_symbol(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 address = ctx->args[0];

	return bpf_snprintf(symbol, sizeof(symbol), "%pB", &address, sizeof(address));
}

#endif
