// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
/*
 * The probe: sees every skb that the kernel frees as dropped, counts it, and sends what is known of it.
 *
 *   entry (one per arity of the tracepoint) -> on_drop: where, totals, filters
 *     -> send_whole (--every)       each drop is a record
 *     -> count_flow (default)       the first drops of a flow are records, the rest is counted in the flow table
 */
#include "compat.h"

#include <linux/ip.h>

#include "cbpf.h"
#include "parse.h"
#include "rpf_maps.h"
#include "rpf_record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NETDEV_ALIGN 32		    /* include/linux/netdevice.h */
#define NO_OFFSET 0xffff	    /* an unset skb->mac_header or network_header, include/linux/skbuff.h */
#define ARPHRD_ETHER 1		    /* include/uapi/linux/if_arp.h */
#define ARPHRD_LOOPBACK 772
#define ETHERNET_BYTES 14
#define KIND_VETH 0x0000000068746576ULL /* "veth" */
#define MAX_SNAP 2048

const volatile struct rpf_settings settings SEC(".rodata.settings") = { .whole_per_flow = 1 };

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
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096); /* pairs of network namespace and reason */
	__type(key, struct rpf_total_key);
	__type(value, struct rpf_total_value);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rpf_counters);
} counters SEC(".maps");

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
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RPF_CBPF_MAX);
	__type(key, __u32);
	__type(value, struct rpf_cbpf_insn);
} expression SEC(".maps");

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
	struct sk_buff *skb;
	struct net_device *device; /* NULL: none */
	struct net *net;	   /* NULL: unknown */
	struct sock *rx_sk;	   /* NULL: none, or not told by this kernel */
	struct rpf_total_value *total;
	struct rpf_window window;
	__u32 linear_end; /* offset from skb->head */
	struct rpf_packet packet;
	struct rpf_flow flow;
	__u32 flags;
};

/*
 * skb->dev shares its place with dev_scratch (UDP receive queue) and with an rb_node (TCP, netem), so what is there need
 * not be a device. A device's namespace has a loopback device that lies in that same namespace.
 */
static __always_inline bool is_net(struct net *net)
{
	return net && net->loopback_dev && net->loopback_dev->nd_net.net == net;
}

static __always_inline void find_device(struct drop *drop)
{
	struct net_device *device = drop->skb->dev;
	struct sock *sk;
	struct net *net;

	if (device) {
		net = device->nd_net.net;
		if (is_net(net)) {
			drop->device = device;
			drop->net = net;
			drop->flags |= RPF_DEVICE;
			return;
		}
		drop->flags |= RPF_DEVICE_STALE;
	}
	/* A locally generated packet has no device yet: its socket knows the namespace. */
	sk = drop->skb->sk;
	net = sk ? sk->__sk_common.skc_net.net : NULL;
	if (!is_net(net) && drop->rx_sk)
		net = drop->rx_sk->__sk_common.skc_net.net;
	if (is_net(net))
		drop->net = net;
}

static __always_inline void find_window(struct drop *drop)
{
	struct sk_buff *skb = drop->skb;
	__u32 header = skb->network_header, tail = skb->tail, end = tail + skb->data_len;

	drop->linear_end = tail;
	/* 0 is what an skb starts with; NET_SKB_PAD keeps a real header from ever lying there. */
	if (!header || header == NO_OFFSET || header > tail)
		return;
	drop->window.address = (__u64)skb->head + header;
	drop->window.linear = tail - header;
	drop->window.total = end - header;
}

static __always_inline void fill_flow(struct drop *drop)
{
	struct rpf_flow *flow = &drop->flow;
	struct rpf_packet *packet = &drop->packet;
	struct in_device *in_dev;

	flow->mark = drop->skb->mark;
	__builtin_memcpy(flow->src, packet->src, RPF_ADDRESS_BYTES);
	__builtin_memcpy(flow->dst, packet->dst, RPF_ADDRESS_BYTES);
	flow->src_port = packet->src_port;
	flow->dst_port = packet->dst_port;
	flow->ethertype = packet->ethertype;
	flow->family = packet->family;
	flow->protocol = packet->protocol;
	if (!drop->device)
		return;
	in_dev = drop->device->ip_ptr;
	if (!in_dev || packet->family != 4)
		return;
	drop->flags |= RPF_CONF;
	flow->rp_filter_device = in_dev->cnf.data[IPV4_DEVCONF_RP_FILTER - 1];
	flow->rp_filter_all = drop->net->ipv4.devconf_all->data[IPV4_DEVCONF_RP_FILTER - 1];
}

static __always_inline __u32 knob(const struct ipv4_devconf *conf, int index, __u32 flag)
{
	return conf->data[index - 1] ? flag : 0;
}

static __always_inline void fill_conf(const struct drop *drop, struct rpf_detail *detail)
{
	struct in_device *in_dev = drop->device->ip_ptr;
	const struct ipv4_devconf *all = drop->net->ipv4.devconf_all, *device = &in_dev->cnf;

	if (in_dev->ifa_list)
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

static __always_inline void copy_name(char *to, const char *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

static __always_inline void fill_device(const struct drop *drop, struct rpf_detail *detail)
{
	struct net_device *device = drop->device, *peer;
	const struct rtnl_link_ops *ops = device->rtnl_link_ops;
	__u64 private;
	int i;

	detail->device_flags = device->flags;
	detail->device_type = device->type;
	if (!ops)
		return;
	for (i = 0; i < RPF_NAME_BYTES - 1; i++) {
		char letter = rpf_load8((__u64)ops->kind + i);

		if (!letter)
			break;
		detail->device_kind[i] = letter;
	}
	if (*(__u64 *)detail->device_kind != KIND_VETH)
		return;
	/* netdev_priv(), include/linux/netdevice.h: the private part follows the device, aligned to NETDEV_ALIGN. */
	private = (__u64)device + ((bpf_core_type_size(struct net_device) + NETDEV_ALIGN - 1) & ~(NETDEV_ALIGN - 1ULL));
	peer = rpf_member(struct fib_nh_common, private, nhc_dev);
	if (!peer || !is_net(peer->nd_net.net))
		return; /* the pair is being taken apart */
	detail->flags |= RPF_PEER;
	detail->peer_ifindex = peer->ifindex;
	detail->peer_netns = peer->nd_net.net->ns.inum;
	copy_name(detail->peer_device, peer->name);
}

static __always_inline void fill_detail(const struct drop *drop, struct rpf_detail *detail)
{
	struct sk_buff *skb = drop->skb;
	const struct rpf_packet *packet = &drop->packet;
	__u64 shared = (__u64)skb->head + skb->end;

	__builtin_memset(detail, 0, sizeof(*detail));
	detail->flags = drop->flags | packet->flags | (skb->data_len ? RPF_NONLINEAR : 0);
	detail->length = drop->window.total ? drop->window.total : skb->len;
	detail->gso_size = rpf_member(struct skb_shared_info, shared, gso_size);
	detail->gso_segs = rpf_member(struct skb_shared_info, shared, gso_segs);
	detail->vlan_id = packet->vlan_id;
	detail->fragment_offset = packet->fragment_offset;
	detail->ttl = packet->ttl;
	detail->tcp_flags = packet->tcp_flags;
	detail->icmp_type = packet->icmp_type;
	detail->icmp_code = packet->icmp_code;
	if (!(packet->flags & RPF_VLAN) && skb->vlan_proto) { /* the tag was taken out of the packet by the driver */
		detail->flags |= RPF_VLAN;
		detail->vlan_id = skb->vlan_tci & 0xfff;
	}
	if (drop->net)
		detail->netns_cookie = drop->net->net_cookie;
	if (drop->device)
		fill_device(drop, detail);
	if (drop->flags & RPF_CONF)
		fill_conf(drop, detail);
}

static __always_inline void fill_record(const struct drop *drop, struct rpf_drop *record, __u32 snap_bytes)
{
	__builtin_memset(&record->task, 0, sizeof(record->task));
	record->header.size = sizeof(*record) + ((snap_bytes + 7) & ~7U);
	record->header.kind = RPF_RECORD_DROP;
	record->header.time_ns = bpf_ktime_get_ns();
	record->first_ns = record->header.time_ns;
	record->count = 1;
	record->skb = (__u64)drop->skb;
	record->cpu = bpf_get_smp_processor_id();
	record->snap_bytes = snap_bytes;
	record->task.cgroup_id = bpf_get_current_cgroup_id();
	record->task.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(record->task.comm, sizeof(record->task.comm));
	record->flow = drop->flow;
}

/* The reader sleeps only when it has told so, and then one record wakes it; else it comes by itself within a tick. */
static __always_inline __u64 wake_flags(void)
{
	if (!control.idle)
		return BPF_RB_NO_WAKEUP;
	control.idle = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/* Where the packet bytes start: the Ethernet header where there is one, else the network header, else skb->data. */
static __always_inline __u32 snap_start(const struct drop *drop, __u32 *flags)
{
	struct sk_buff *skb = drop->skb;
	__u32 network = skb->network_header, mac = skb->mac_header;

	if (!drop->window.total)
		return skb->data - skb->head;
	if (drop->device && (drop->device->type == ARPHRD_ETHER || drop->device->type == ARPHRD_LOOPBACK) &&
	    mac != NO_OFFSET && network - mac >= ETHERNET_BYTES && network - mac <= ETHERNET_BYTES + 8) {
		*flags |= RPF_SNAP_MAC;
		return mac;
	}
	return network;
}

/* Copies linear bytes [start, start + bytes) of the packet. Never reads past the linear data. */
static __always_inline __u32 copy_snap(const struct drop *drop, __u8 *to, __u32 start, __u32 bytes)
{
	__u64 at = (__u64)drop->skb->head + start;
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

static __always_inline int send_with_snap(const struct drop *drop)
{
	__u32 zero = 0, flags = 0, start, wanted, total, bytes;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

	if (!scratch)
		return -1;
	start = snap_start(drop, &flags);
	total = drop->linear_end + drop->skb->data_len - start;
	wanted = settings.snaplen < total ? settings.snaplen : total;
	if (wanted > MAX_SNAP)
		wanted = MAX_SNAP;
	bytes = copy_snap(drop, scratch->snap, start, wanted);
	if (bytes < wanted)
		flags |= RPF_SNAP_NONLINEAR;
	fill_record(drop, &scratch->drop, bytes);
	fill_detail(drop, &scratch->drop.detail);
	scratch->drop.detail.flags |= flags;
	bytes = (bytes + 7) & ~7U;
	if (bytes > MAX_SNAP)
		bytes = MAX_SNAP;
	return bpf_ringbuf_output(&ring, &scratch->drop, sizeof(scratch->drop) + bytes, wake_flags());
}

static __always_inline int count_lost(const struct drop *drop)
{
	drop->total->lost++;
	control.lost = 1;
	return 0;
}

static __always_inline int send_whole(const struct drop *drop)
{
	struct rpf_drop *record;

	if (settings.snaplen)
		return send_with_snap(drop) ? count_lost(drop) : 0;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return count_lost(drop);
	fill_record(drop, record, 0);
	fill_detail(drop, &record->detail);
	bpf_ringbuf_submit(record, wake_flags());
	return 0;
}

#define FLOW_WORDS (sizeof(struct rpf_flow) / 8)

/* Two lanes of multiply and fold, so that the multiplications overlap. */
static __always_inline __u32 hash_flow(const struct rpf_flow *flow)
{
	const __u64 *word = (const __u64 *)flow;
	__u64 even = 0x9e3779b97f4a7c15ULL, odd = 0xc2b2ae3d27d4eb4fULL;
	int i;

#pragma unroll
	for (i = 0; i < (int)FLOW_WORDS; i += 2) {
		even = (even ^ word[i]) * 0xff51afd7ed558ccdULL;
		if (i + 1 < (int)FLOW_WORDS)
			odd = (odd ^ word[i + 1]) * 0xc4ceb9fe1a85ec53ULL;
		even ^= even >> 32;
		odd ^= odd >> 29;
	}
	even ^= odd;
	even *= 0x9e3779b97f4a7c15ULL;
	return even >> 32;
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
	__u64 now;
	int i;

	/* The core can take the count between our read and our swap, once per interval; an interrupt can count too. */
	for (i = 0; i < 3; i++) {
		__u64 word = *(volatile __u64 *)&slot->word;

		if (!(word & RPF_SLOT_LIVE) || !same_flow(&slot->flow, flow))
			return false;
		now = bpf_ktime_get_ns();
		if (!(word & RPF_SLOT_COUNT_MASK))
			slot->first_ns = now;
		slot->last_ns = now;
		if (__sync_val_compare_and_swap(&slot->word, word, word + 1) == word)
			return true;
	}
	return false;
}

static __always_inline bool claim(struct rpf_slot *slot, const struct drop *drop, __u32 extra_flags)
{
	__u64 word = *(volatile __u64 *)&slot->word;
	__u64 next;

	if (word & (RPF_SLOT_LIVE | RPF_SLOT_BUSY))
		return false;
	next = (word + RPF_SLOT_GENERATION) & RPF_SLOT_GENERATION_MASK;
	if (__sync_val_compare_and_swap(&slot->word, word, next | RPF_SLOT_BUSY) != word)
		return false;
	slot->flow = drop->flow;
	fill_detail(drop, &slot->detail);
	slot->detail.flags |= extra_flags;
	slot->whole = 1; /* whoever claims a slot sends the drop that made it do so, or counts it as coarse */
	if (!control.claimed)
		control.claimed = 1;
	__sync_lock_test_and_set(&slot->word, next | RPF_SLOT_LIVE);
	return true;
}

static __always_inline struct rpf_slot *slot_at(__u32 index)
{
	__u32 key = bpf_get_smp_processor_id() * settings.slots_per_cpu + index;

	return bpf_map_lookup_elem(&flow_table, &key);
}

/* The flow table is full: counts the drop by what the drops of a flood have in common. */
static __always_inline bool count_coarse(struct drop *drop)
{
	struct rpf_flow *flow = &drop->flow;
	__u32 zero = 0, hash, i;
	struct rpf_counters *counter = bpf_map_lookup_elem(&counters, &zero);

	if (counter)
		counter->coarse++;
	flow->mark = 0;
	__builtin_memset(flow->src, 0, sizeof(flow->src));
	__builtin_memset(flow->dst, 0, sizeof(flow->dst));
	flow->src_port = 0;
	flow->dst_port = 0;
	flow->protocol = 0;
	hash = hash_flow(flow);
	for (i = 0; i < RPF_PROBES; i++) {
		struct rpf_slot *slot = slot_at(settings.flow_mask + 1 + ((hash + i) & (RPF_COARSE_SLOTS - 1)));

		if (!slot)
			return false;
		claim(slot, drop, RPF_COARSE);
		if (count_in(slot, flow))
			return true;
	}
	return false;
}

static __always_inline bool find_and_count(const struct drop *drop, __u32 hash)
{
	__u32 i;

	for (i = 0; i < RPF_PROBES; i++) {
		struct rpf_slot *slot = slot_at((hash + i) & settings.flow_mask);

		if (!slot)
			return false;
		if (slot->whole < settings.whole_per_flow && same_flow(&slot->flow, &drop->flow) &&
		    slot->word & RPF_SLOT_LIVE) {
			slot->whole++;
			send_whole(drop);
			return true;
		}
		if (count_in(slot, &drop->flow))
			return true;
	}
	return false;
}

static __always_inline bool claim_and_send(const struct drop *drop, __u32 hash)
{
	__u32 i;

	for (i = 0; i < RPF_PROBES; i++) {
		struct rpf_slot *slot = slot_at((hash + i) & settings.flow_mask);

		if (!slot)
			return false;
		if (!claim(slot, drop, 0))
			continue;
		send_whole(drop);
		return true;
	}
	return false;
}

static __noinline int count_flow(struct drop *drop)
{
	__u32 hash = hash_flow(&drop->flow);

	if (find_and_count(drop, hash) || claim_and_send(drop, hash) || count_coarse(drop))
		return 0;
	fill_flow(drop); /* count_coarse() has blanked it */
	return send_whole(drop);
}

static __always_inline struct rpf_total_value *total_of(__u32 netns, __u32 reason)
{
	struct rpf_total_key key = { .netns = netns, .reason = reason };
	struct rpf_total_value *total = bpf_map_lookup_elem(&totals, &key), none = {};
	struct rpf_counters *counter;
	__u32 zero = 0;

	if (total)
		return total;
	bpf_map_update_elem(&totals, &key, &none, BPF_NOEXIST);
	total = bpf_map_lookup_elem(&totals, &key);
	if (total)
		return total;
	counter = bpf_map_lookup_elem(&counters, &zero);
	return counter ? &counter->unattributed : NULL;
}

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

static int run_expression_step(__u32 i, struct rpf_cbpf **state)
{
	__u32 pc = (*state)->pc;
	struct rpf_cbpf_insn *insn = bpf_map_lookup_elem(&expression, &pc);

	return insn ? rpf_cbpf_step(*state, insn) : 1;
}

/*
 * The packet as tcpdump would see it on an Ethernet: its network header behind an Ethernet header, which is made up from
 * the ethertype, since most skbs that die in the network layer have theirs no more.
 */
static __always_inline bool passes_expression(const struct drop *drop)
{
	__u32 zero = 0, bytes = drop->window.linear, i;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);
	struct rpf_cbpf *state;
	__u16 protocol = drop->skb->protocol;

	if (!scratch)
		return false;
	state = &scratch->cbpf;
	if (bytes > RPF_CBPF_BYTES - ETHERNET_BYTES)
		bytes = RPF_CBPF_BYTES - ETHERNET_BYTES;
	for (i = 0; i < ETHERNET_BYTES - 2; i++)
		state->packet[i] = 0;
	state->packet[12] = protocol & 0xff; /* protocol is in network order already */
	state->packet[13] = protocol >> 8;
	for (i = 0; i < RPF_CBPF_BYTES - ETHERNET_BYTES && i < bytes; i++)
		state->packet[ETHERNET_BYTES + i] = rpf_load8(drop->window.address + i);
	state->pc = 0;
	state->a = 0;
	state->x = 0;
	state->accept = 0;
	state->captured = ETHERNET_BYTES + bytes;
	state->wire = ETHERNET_BYTES + drop->window.total;
	for (i = 0; i < RPF_CBPF_CELLS; i++)
		state->cell[i] = 0;
	bpf_loop(RPF_CBPF_MAX, run_expression_step, &state, 0);
	return state->accept;
}

static __always_inline int on_drop(struct sk_buff *skb, void *location, __u32 reason, struct sock *rx_sk)
{
	struct drop drop = { .skb = skb, .rx_sk = rx_sk };
	__u16 protocol;

	find_device(&drop);
	drop.flow.location = (__u64)location;
	drop.flow.reason = reason;
	if (drop.net)
		drop.flow.netns = drop.net->ns.inum;
	if (drop.device) {
		drop.flow.ifindex = drop.device->ifindex;
		copy_name(drop.flow.device, drop.device->name);
	}
	drop.total = total_of(drop.flow.netns, reason);
	if (!drop.total)
		return 0;
	drop.total->seen++;
	if (control.filters && !passes(&drop.flow))
		return 0;

	find_window(&drop);
	protocol = rpf_swap16(skb->protocol);
	if (drop.window.total)
		rpf_parse(&drop.window, protocol, &drop.packet);
	else
		drop.packet = (struct rpf_packet){ .flags = RPF_L3_ABSENT, .ethertype = protocol };
	fill_flow(&drop);
	if (control.filters & RPF_FILTER_EXPRESSION && !passes_expression(&drop))
		return 0;

	drop.total->matched++;
	return settings.every ? send_whole(&drop) : count_flow(&drop);
}

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
	return on_drop(skb, location, reason, rx_sk);
}

/* Not attached: the core runs it with an address as its argument and reads the answer from symbol. */
char symbol[RPF_SYMBOL_BYTES] SEC(".data.symbol");

SEC("raw_tp")
int rpf_name_symbol(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 address = ctx->args[0];

	return bpf_snprintf(symbol, sizeof(symbol), "%pB", &address, sizeof(address));
}
