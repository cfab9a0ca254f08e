/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The records that travel from the BPF programs through the ring buffer and the core to TypeScript.
 *
 * This file is the single source of truth: the BPF programs and the core include it, src/record/layout.gen.ts is
 * generated from the BTF of the compiled BPF object, and a hash of the layout is compared when the addon loads.
 *
 * Every record starts with struct rpf_header. Integers are in the byte order of the machine, ports and ethertypes too;
 * addresses are in network order, an IPv4 address in the first 4 of 16 bytes. All padding is named.
 */
#ifndef RPF_RECORD_H
#define RPF_RECORD_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RPF_NAME_BYTES 16 /* IFNAMSIZ and TASK_COMM_LEN, include/uapi/linux/if.h, include/linux/sched.h */
#define RPF_ADDRESS_BYTES 16

enum rpf_record_kind {
	RPF_RECORD_BATCH = 1,	     /* struct rpf_batch: first record of every batch */
	RPF_RECORD_DROP = 2,	     /* struct rpf_drop */
	RPF_RECORD_LOST = 3,	     /* struct rpf_lost */
	RPF_RECORD_LINK = 4,	     /* struct rpf_link */
	RPF_RECORD_SYSCTL = 5,	     /* struct rpf_sysctl */
	RPF_RECORD_ROUTE_CHANGE = 6, /* struct rpf_route_change */
	RPF_RECORD_NETCONF = 7,	     /* struct rpf_netconf */
};

struct rpf_header {
	__u32 size;    /* bytes of the whole record with all that follows it; a multiple of 8 */
	__u32 kind;    /* enum rpf_record_kind */
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

struct rpf_batch {
	struct rpf_header header;
	__s64 wall_offset_ns; /* CLOCK_REALTIME minus CLOCK_MONOTONIC when the batch was made */
};

/* What makes two drops alike. Drops that agree in every byte of it are one flow and are counted together. */
struct rpf_flow {
	__u64 location; /* return address in the function that freed the skb */
	__u32 reason;	/* enum skb_drop_reason; 0 where the kernel gives none */
	__u32 netns;	/* inode number; 0 = unknown */
	__u32 ifindex;	/* 0 = the skb had no device */
	__u32 mark;
	char device[RPF_NAME_BYTES];
	__u8 src[RPF_ADDRESS_BYTES];
	__u8 dst[RPF_ADDRESS_BYTES];
	__u64 socket_cgroup; /* cgroup v2 that the packet's socket was made in; 0 = no socket, or the kernel does not tell */
	__u16 src_port;
	__u16 dst_port;
	__u16 ethertype;	/* VLAN tags looked through; 0 = unknown */
	__u8 family;		/* 4, 6, or 0 where there is no IP header that can be read */
	__u8 protocol;		/* IP protocol, valid with RPF_L4_PROTOCOL */
	__s32 rp_filter_all;	/* net.ipv4.conf.all.rp_filter, valid with RPF_CONF */
	__s32 rp_filter_device; /* net.ipv4.conf.<device>.rp_filter, valid with RPF_CONF */
};

/* Reasons that no kernel gives itself, in a subsystem (the upper half) that no kernel has. */
enum rpf_reason {
	RPF_REASON_RPFILTER = 0x7ffe0001, /* IP_RPFILTER on kernels without that reason: a hook saw -EXDEV */
	RPF_REASON_ARP_REFUSED = 0x7ffe0002, /* an ARP request that the kernel does not answer; no drop of its own */
};

enum rpf_flags {
	RPF_DEVICE = 1 << 0, /* device, ifindex and the device_* members are valid */
	RPF_DEVICE_STALE = 1 << 1, /* skb->dev held something that is not a device (union with dev_scratch and rbnode) */
	RPF_PEER = 1 << 2,	      /* peer_* are valid */
	RPF_CONF = 1 << 3,	      /* rp_filter_* and knobs are valid (the device has an in_device) */
	RPF_DEVICE_HAS_IPV4 = 1 << 4, /* in_device->ifa_list is not empty */
	RPF_L3 = 1 << 5,	      /* an IP header was read: family, src, dst, ttl */
	RPF_L3_ABSENT = 1 << 6,	      /* the skb has no network header, or its protocol is not IP */
	RPF_L3_SHORT = 1 << 7,	      /* the packet ends before its IP header does */
	RPF_L3_NONLINEAR = 1 << 8,    /* the IP header lies outside of the linear data */
	RPF_L4_PROTOCOL = 1 << 9,     /* protocol is valid */
	RPF_L4 = 1 << 10,	      /* ports, or icmp_type and icmp_code, are valid */
	RPF_L4_SHORT = 1 << 11,	      /* the packet ends before its transport header does */
	RPF_L4_NONLINEAR = 1 << 12,   /* the transport header lies outside of the linear data */
	RPF_FRAGMENT = 1 << 13,	      /* an IP fragment; all but the first have no transport header */
	RPF_VLAN = 1 << 14,	      /* vlan_id is valid */
	RPF_TCP_FLAGS = 1 << 15,      /* tcp_flags is valid */
	RPF_COARSE = 1 << 16, /* the flow table was full: counted by reason, location, netns and device only */
	RPF_NONLINEAR = 1 << 17, /* a part of the packet lies outside of the linear data */
	RPF_SNAP_MAC = 1 << 18, /* the packet bytes start with the Ethernet header, else with the network header */
	RPF_SNAP_NONLINEAR = 1 << 19, /* fewer packet bytes than asked for, because the rest is not linear */
	RPF_L3_MALFORMED = 1 << 20,   /* the version or header length in the IP header is impossible */
	RPF_WITNESS = 1 << 22, /* witness_* are valid: a route lookup for the source was seen on the way to the drop */
	RPF_SOURCE_REFUSED = 1 << 23, /* a hook saw that the kernel refused the source of this packet */
	RPF_AGGREGATE = 1 << 21,      /* came out of the flow table: count drops like the flow's first one */
	RPF_ROUTED = 1 << 24, /* the packet had its route already (skb_dst): it had got past the hook prerouting */
	RPF_SOCKET_RECEIVES = 1 << 25, /* socket_cgroup is that of the socket that the packet was for, not of its sender's */
};

enum rpf_knobs {
	RPF_ACCEPT_LOCAL_ALL = 1 << 0,
	RPF_ACCEPT_LOCAL_DEVICE = 1 << 1,
	RPF_SRC_VALID_MARK_ALL = 1 << 2,
	RPF_SRC_VALID_MARK_DEVICE = 1 << 3,
	RPF_ROUTE_LOCALNET_ALL = 1 << 4,
	RPF_ROUTE_LOCALNET_DEVICE = 1 << 5,
	RPF_FORWARDING_ALL = 1 << 6,
	RPF_FORWARDING_DEVICE = 1 << 7,
};

/* The rest of what is known of a drop and mostly the same for all drops of a flow. */
struct rpf_detail {
	__u64 netns_cookie;
	__u32 flags;  /* enum rpf_flags */
	__u32 knobs;  /* enum rpf_knobs */
	__u32 length; /* bytes of the packet from its network header on; skb->len where it has none */
	__u16 gso_segs;
	__u16 gso_size;
	__u16 vlan_id;
	__u16 fragment_offset; /* bytes */
	__u8 ttl;	       /* IPv6: hop limit */
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u32 device_flags;		  /* IFF_*, include/uapi/linux/if.h */
	__u32 device_type;		  /* ARPHRD_*, include/uapi/linux/if_arp.h */
	char device_kind[RPF_NAME_BYTES]; /* rtnl_link_ops->kind ("veth", "vxlan", ...), empty for hardware */
	__u32 peer_ifindex;		  /* the other end of a veth pair */
	__u32 peer_netns;
	char peer_device[RPF_NAME_BYTES];
	/* The last route lookup for the source on this CPU, tracepoint fib_table_lookup. */
	__u32 witness_table;
	__s32 witness_err; /* 0, or the lookup's negative errno; -EAGAIN = not in this table */
	__u32 witness_ifindex;
	__u32 witness_gateway; /* network order; 0 = none, or not IPv4 */
	__u8 witness_type;     /* RTN_*; 0 = a nexthop object does not tell */
	__u8 witness_scope;    /* RT_SCOPE_* */
	__u16 _reserved;
	__u32 _reserved_too; /* keeps the size a multiple of 8 */
	char witness_device[RPF_NAME_BYTES];
};

/* Who happened to run on the CPU. In softirq that is any task at all: current, maybe unrelated. */
struct rpf_task {
	__u64 cgroup_id;
	__u32 pid;
	__u32 _reserved; /* keeps the size a multiple of 8 */
	char comm[RPF_NAME_BYTES];
};

struct rpf_drop {
	struct rpf_header header; /* time_ns: the last drop that count covers */
	__u64 first_ns;		  /* the first drop that count covers */
	__u64 count;		  /* drops that this record stands for */
	__u64 skb;		  /* address of the struct sk_buff; 0 in an aggregate */
	__u32 cpu;
	__u32 snap_bytes; /* packet bytes that follow the record */
	struct rpf_task task;
	struct rpf_flow flow;
	struct rpf_detail detail;
};

enum rpf_lost_where {
	RPF_LOST_RING = 1,	/* the ring buffer was full */
	RPF_LOST_RECURSION = 2, /* the program interrupted itself on one CPU and the kernel did not run it again */
};

struct rpf_lost {
	struct rpf_header header;
	__u64 count;
	__u32 where;  /* enum rpf_lost_where */
	__u32 reason; /* 0 with RPF_LOST_RECURSION: never seen */
	__u32 netns;
	__u32 _reserved; /* keeps the size a multiple of 8 */
};

/* A device of the tracer's own network namespace, now or no more. From RTM_NEWLINK and RTM_DELLINK. */
struct rpf_link {
	struct rpf_header header;
	__u32 ifindex;
	__u32 gone;	      /* 1 = deleted */
	__u32 device_flags;   /* IFF_* */
	__u32 device_type;    /* ARPHRD_* */
	__u32 link_ifindex;   /* IFLA_LINK: peer or lower device; 0 = none */
	__u32 master_ifindex; /* IFLA_MASTER; 0 = none */
	char name[RPF_NAME_BYTES];
	char kind[RPF_NAME_BYTES]; /* IFLA_INFO_KIND */
};

enum rpf_route_changed {
	RPF_CHANGED_ROUTE = 1,
	RPF_CHANGED_RULE = 2,
	RPF_CHANGED_ADDRESS = 3,
	RPF_CHANGED_LINK = 4,
	RPF_CHANGED_NEXTHOP = 5,
	RPF_CHANGED_MANY = 6,	/* count changes of any kind: too many at a time to tell each */
	RPF_CHANGED_MISSED = 7, /* the kernel dropped messages: anything may have changed */
	RPF_CHANGED_UNWATCHED = 8, /* the network namespace is not listened to any more: it is gone, or cannot be found */
};

enum rpf_route_action {
	RPF_ACTION_ADDED = 1,
	RPF_ACTION_REPLACED = 2,
	RPF_ACTION_DELETED = 3,
	RPF_ACTION_UP = 4, /* of links */
	RPF_ACTION_DOWN = 5,
	RPF_ACTION_CHANGED = 6, /* of links: anything else */
};

#define RPF_CHANGE_HOPS 8

/*
 * Something that IPv4 routes depend on became different in a network namespace that is listened to. From rtnetlink, so it
 * happened between not_before_ns and header.time_ns, when the message was read.
 */
struct rpf_route_change {
	struct rpf_header header;
	__u64 not_before_ns; /* CLOCK_MONOTONIC */
	__u64 count;	     /* changes that this record stands for */
	__u32 netns;
	__u32 port_id; /* netlink port of whoever asked for it; 0 = the kernel did it, or does not say */
	__u32 what;    /* enum rpf_route_changed */
	__u32 action;  /* enum rpf_route_action */
	__u32 table;   /* of a route; of a rule where it looks further */
	__u32 priority;
	__u32 ifindex; /* of the first next hop; 0 = none */
	__u32 nexthop_id;
	__u32 mark; /* of a rule */
	__u32 mark_mask;
	__u32 selectors; /* of a rule: enum rpf_rules of native/core/rpf_core.h */
	__u32 hops;	 /* of a route: next hops */
	__u32 hop_ifindex[RPF_CHANGE_HOPS];
	__u8 prefix[4]; /* network order: destination of a route or rule; an address itself */
	__u8 source[4]; /* of a rule */
	__u8 gateway[4];
	__u8 prefix_bits;
	__u8 source_bits;
	__u8 type;		     /* of a route RTN_*, of a rule FR_ACT_* */
	__u8 protocol;		     /* of a route: RTPROT_* */
	char device[RPF_NAME_BYTES]; /* of ifindex; of a rule: the device that packets come in by */
};

enum rpf_netconf_values {
	RPF_NETCONF_RP_FILTER = 1 << 0,
	RPF_NETCONF_ACCEPT_LOCAL = 1 << 1,
	RPF_NETCONF_SRC_VALID_MARK = 1 << 2,
	RPF_NETCONF_ROUTE_LOCALNET = 1 << 3,
	RPF_NETCONF_FORWARDING = 1 << 4,
	RPF_NETCONF_LOG_MARTIANS = 1 << 5,
};

/*
 * The kernel says what settings are now: RTM_NEWNETCONF after a change, RTM_NEWLINK whenever anything about a device changed.
 * Comes after the records of all writes that were made before it was read.
 */
struct rpf_netconf {
	struct rpf_header header; /* time_ns: when the message was read */
	__u32 netns;
	__u32 values; /* enum rpf_netconf_values: which are told; 0 = messages were passed over, any setting may be another */
	__s32 rp_filter;
	__s32 accept_local;
	__s32 src_valid_mark;
	__s32 route_localnet;
	__s32 forwarding;
	__s32 log_martians;
	char device[RPF_NAME_BYTES]; /* "all", "default", or a device; empty where it is gone already */
};

#define RPF_SYSCTL_NAME_BYTES \
	64 /* "net/ipv4/conf/<device>/route_localnet": 14 + 15 + 15 and the terminator fit */
#define RPF_SYSCTL_VALUE_BYTES 16 /* an int has at most 11 characters */
#define RPF_ARGS_BYTES 256
#define RPF_PARENTS 6 /* a shell under sudo under sshd under systemd has 5 */
#define RPF_EXE_PARTS 6
#define RPF_EXE_PART_BYTES 32
#define RPF_CGROUP_PARTS \
	5 /* kubepods.slice, its QoS class, the pod, the container, and one that this one made */
#define RPF_CGROUP_PART_BYTES 96 /* "cri-containerd-<64 digits>.scope" has 85 */

enum rpf_sysctl_flags {
	RPF_SYSCTL_OLD_UNKNOWN = 1 << 0, /* the kernel did not give the value before the write */
	RPF_SYSCTL_ARGS_CUT = 1 << 1,	 /* the command line is longer */
	RPF_SYSCTL_EXE_CUT = 1 << 2,	 /* the path has more parts, or longer ones */
	RPF_SYSCTL_CGROUP_CUT = 1 << 3,	 /* so has that of the cgroup */
};

/*
 * Somebody writes one of the settings that decide about a source address. Seen before the kernel looks at the value: an
 * attempt, which may be refused or change nothing.
 */
struct rpf_sysctl {
	struct rpf_header header;
	__u64 cgroup_id; /* of the writer, on the cgroup v2 hierarchy */
	__u64 netns_cookie;
	__u32 netns; /* of the writer: the settings of this namespace are written */
	__u32 pid;
	__u32 uid;	    /* in the initial user namespace */
	__u32 flags;	    /* enum rpf_sysctl_flags */
	__u32 position;	    /* file position of the write; not 0 = the rest of a value written in pieces */
	__u32 args_bytes;   /* of args: words that end with NUL */
	__u32 exe_parts;    /* of exe: the file's name first, then the folders above it */
	__u32 parents;	    /* of parent_*: the writer's parent first */
	__u32 cgroup_parts; /* of cgroup: its own name first, then those above it; 0 = the root */
	__u32 _reserved;
	char comm[RPF_NAME_BYTES];
	char name[RPF_SYSCTL_NAME_BYTES];
	char old_value[RPF_SYSCTL_VALUE_BYTES];
	char new_value[RPF_SYSCTL_VALUE_BYTES];
	__u32 parent_pid[RPF_PARENTS];
	char parent_comm[RPF_PARENTS * RPF_NAME_BYTES];
	char exe[RPF_EXE_PARTS * RPF_EXE_PART_BYTES];
	char cgroup[RPF_CGROUP_PARTS * RPF_CGROUP_PART_BYTES]; /* a unit that is done has no cgroup any more */
	char args[RPF_ARGS_BYTES];
};

#endif
