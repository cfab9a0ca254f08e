/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core: loads the BPF programs, attaches them, and turns what they find into batches of records. It knows nothing of
 * Node. Every function returns 0 or a positive number on success and a negative errno on failure.
 *
 * Threads: one thread at a time may be in rpf_poll(); rpf_wake() may be called from any thread and any time between
 * rpf_open() and rpf_close(); the rest belongs to the thread that opened the tracer.
 */
#ifndef RPF_CORE_H
#define RPF_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "rpf_pods.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RPF_MAX_DEVICES 16 /* device patterns; compared one by one in the kernel */
#define RPF_MAX_NETNS 256  /* entries of the netns filter map */
#define RPF_MAX_REASONS 64 /* entries of the reason filter map */
#define RPF_MAX_SNAP 2048  /* packet bytes that --snaplen may ask for: a jumbo-free frame and its headers */

struct rpf_tracer;
struct rpf_sysctl;

/* Why an operation failed, for people. code is one of the E_... names that src/errors.ts knows. */
struct rpf_error {
	int err;	   /* negative errno */
	char code[32];	   /* "E_NO_BTF", "E_MISSING_CAPABILITY", ... */
	char message[512]; /* what and which; no remedy in it */
};

struct rpf_device_pattern {
	char name[16];	 /* not necessarily terminated */
	uint32_t length; /* bytes to compare; 16 compares the whole name, its terminator included */
};

/* How refused sources are seen beside the tracepoint. All but the first two are there whole, or rpf_open() fails. */
enum rpf_backend {
	RPF_BACKEND_AUTO,	/* what the kernel takes, where its drop reasons do not suffice */
	RPF_BACKEND_TRACEPOINT, /* not at all */
	RPF_BACKEND_FENTRY,	/* fentry/ip_handle_martian_source and fexit/ip_route_input_noref */
	RPF_BACKEND_FEXIT,	/* fentry/ip_handle_martian_source and fexit/fib_validate_source */
	RPF_BACKEND_KPROBE,	/* kprobe/ip_handle_martian_source and kretprobe/fib_validate_source */
};

/* Zero-initialise it, then set what differs from the defaults. */
struct rpf_config {
	int every;	/* 1: every drop as a record of its own, no flow table */
	int probe_read; /* 1: read by bpf_probe_read_kernel even where bpf_rdonly_cast is there */
	int legacy;	/* 1: do without what came after v5.10 even where it is there */
	enum rpf_backend backend;
	uint32_t kfree_skb_arguments; /* 2, 3 or 4: as on a kernel whose tracepoint has no more; 0 = all */
	uint32_t snaplen;	      /* packet bytes with each record; 0 = none; at most RPF_MAX_SNAP */
	uint32_t ring_bytes;	      /* power of two, at least 64 KiB; 0 = default */
	uint32_t flow_slots;	      /* flow table entries per CPU, power of two; 0 = default */
	uint32_t total_pairs; /* pairs of network namespace and reason that are counted apart; 0 = default, the most */
	uint32_t interval_ms;	 /* how often the counts of flows come out; 0 = default (1000) */
	uint32_t whole_per_flow; /* drops of a flow that go out whole before it is counted; 0 = default (1) */
	uint32_t netns[RPF_MAX_NETNS]; /* only these network namespaces (inode numbers); none = all */
	uint32_t netns_count;
	uint32_t reasons[RPF_MAX_REASONS]; /* only these reasons; none = all */
	uint32_t reason_count;
	struct rpf_device_pattern devices[RPF_MAX_DEVICES]; /* only devices that match one of these; none = all */
	uint32_t device_count;
	const char *expression; /* pcap-filter(7) expression; NULL = none */
};

/* Exact totals since rpf_attach(), summed over the CPUs. */
struct rpf_total {
	uint64_t netns_cookie; /* SO_NETNS_COOKIE: unlike the inode number never given again; 0 = unknown */
	uint32_t netns;
	uint32_t reason;
	uint64_t seen;	  /* drops that the hook saw, filters or not */
	uint64_t matched; /* drops that passed the filters */
	uint64_t lost;	  /* of these, drops whose record did not fit into the ring buffer */
};

struct rpf_stats {
	uint64_t seen;
	uint64_t matched;
	uint64_t lost;	    /* ring buffer full */
	uint64_t recursion; /* hook calls that the kernel skipped because the program already ran on that CPU */
	uint64_t delivered; /* drops handed out through rpf_poll(), aggregates counted in full */
	uint64_t records;   /* drop records handed out */
	uint64_t flows;	    /* flow table entries in use at the last drain */
	uint64_t coarse;    /* drops counted under a coarse key because the flow table was full */
	uint64_t run_ns;    /* BPF run time and runs; both 0 unless kernel.bpf_stats_enabled=1 */
	uint64_t run_count;
	int32_t sysctl_err;   /* 0: writes to settings are watched; else why not, a negative errno */
	uint64_t sysctl_lost; /* writes that found no room in the ring buffer */
	int32_t exec_err;     /* 0: programs that are executed are remembered; else a negative errno */
	int32_t routes_err; /* 0: changes of routes in our own network namespace are listened to; else a negative errno */
	int32_t names_err;	      /* 0: addresses of kernel text can be named; else a negative errno */
	uint32_t kfree_skb_arguments; /* of the tracepoint, as they are read: 2, 3 or 4 */
	const char *refused_hook; /* sees refused sources, ARP's too: "fentry/ip_handle_martian_source"; NULL = none */
	int32_t refused_err;	 /* why there is none; 0 = not asked for */
	const char *result_hook; /* sees what rp_filter refused, where no reason tells it; NULL = none */
	int32_t result_err;	 /* why there is none; 0 = not needed */
	uint32_t probe_read; /* 1: reads through bpf_probe_read_kernel, 0: typed pointers and bpf_rdonly_cast */
};

/* Probes the kernel, loads the programs and fills the filters. Nothing is attached yet. */
int rpf_open(const struct rpf_config *config, struct rpf_tracer **tracer, struct rpf_error *error);

/*
 * Begins to load in a thread of its own what the next rpf_open() takes over, if its configuration says the same of all but
 * netns, reasons, devices, total_pairs, interval_ms, whole_per_flow and which expression it is. What goes wrong is told by
 * rpf_open(). What was loaded ahead before is forgotten.
 */
int rpf_load_ahead(const struct rpf_config *config);
/* Waits for it and frees it, unless rpf_open() has taken it over. */
void rpf_forget_ahead(void);

/* Replaces the filters (netns, reasons, devices) while running. The expression cannot be replaced: -EINVAL. */
int rpf_configure(struct rpf_tracer *tracer, const struct rpf_config *config, struct rpf_error *error);

/*
 * Only drops of packets that have one of these addresses or a socket of one of these cgroups, or that died in one of these
 * network namespaces or on one of these devices; with no key none at all. Replaces what was set before; from the first call on drops are filtered. Any time before
 * and while the tracer is attached. Sorts the keys. -E2BIG for more than RPF_MAX_POD_KEYS.
 */
int rpf_set_pods(struct rpf_tracer *tracer, struct rpf_pod_key *keys, size_t count);

int rpf_attach(struct rpf_tracer *tracer, struct rpf_error *error);

/*
 * Waits at most timeout_ms for something to report and writes whole records to buffer, a struct rpf_batch first.
 * Returns the bytes written, or 0 when there was nothing (time out, rpf_wake()). bytes must be at least 64 KiB.
 * After rpf_detach() it does not wait, and 0 means that everything has been handed out, flow counts included.
 */
long rpf_poll(struct rpf_tracer *tracer, void *buffer, size_t bytes, int timeout_ms);

/* Makes a running or the next rpf_poll() return at once. */
void rpf_wake(struct rpf_tracer *tracer);

/*
 * Watches route lookups (on = 1) or stops it (on = 0), while attached. Costs some 60 ns for every IPv4 route lookup of the
 * node, so only for seconds at a time. While it is on, drops carry the lookup for their source (RPF_WITNESS).
 */
int rpf_witness(struct rpf_tracer *tracer, int on);

/*
 * Listens to changes of routes and settings in a network namespace (on = 1) or no more (on = 0). Our own is listened to from
 * rpf_open() on. Others cost a socket each, which keeps the namespace alive: for a second at most after the last path to it
 * is gone. -ENOSPC: there are too many already; -ESRCH: it cannot be found; -EPERM: it cannot be entered.
 */
int rpf_watch(struct rpf_tracer *tracer, uint32_t netns, int on);

/*
 * What is known of a program that was executed lately: by the number of its process in its own PID namespace and the network
 * namespace that it was executed in. record gets a struct rpf_sysctl without a setting. -ENOENT: nothing is.
 */
int rpf_executed(struct rpf_tracer *tracer, uint32_t number, uint32_t netns, struct rpf_sysctl *record);

/*
 * Gives up, for good and in every thread of the process, all capabilities but those in keep (bit n: number n of
 * linux/capability.h) and those that this tracer itself needs while attached. No program that is executed from here gets any,
 * not even root's or a setuid one. What is not to be gone yet must be attached. On an error some threads may have given them up.
 */
int rpf_give_up_capabilities(struct rpf_tracer *tracer, uint64_t keep, struct rpf_error *error);

/* Detaches all programs. The maps stay readable and what they hold can still be polled. Idempotent. */
int rpf_detach(struct rpf_tracer *tracer);

int rpf_stats(struct rpf_tracer *tracer, struct rpf_stats *stats);

/* Writes at most max totals, returns how many there are. */
int rpf_totals(struct rpf_tracer *tracer, struct rpf_total *totals, size_t max);

/* Writes "symbol+0xoffset" of a kernel text address, as the kernel's %pB prints it. Returns its length. */
int rpf_symbol(struct rpf_tracer *tracer, uint64_t address, char *buffer, size_t bytes);

/* Calls visit for each drop reason in the BTF of the running kernel and its modules. name has no SKB_DROP_REASON_. */
int rpf_reasons(int (*visit)(void *context, uint32_t reason, const char *name), void *context);

/* Detaches and frees. NULL is allowed. */
void rpf_close(struct rpf_tracer *tracer);

/* ---- network namespaces (rpf_netns.c): no tracer needed ---- */

struct rpf_netns_counter {
	uint32_t netns; /* inode number */
	uint32_t pid;	/* a process inside; 0 when it was found as a bind mount */
	int32_t err;	/* negative errno when the counter could not be read */
	uint32_t _reserved;
	uint64_t netns_cookie;	      /* 0 = unknown: not entered, or a kernel before v5.14 */
	uint64_t reverse_path_filter; /* TcpExt IPReversePathFilter */
	char path[256];		      /* where it was found, e.g. /run/netns/pod */
};

/*
 * Finds every network namespace that a process or a bind mount under /run/netns makes visible and reads its counter.
 * Holds none of them open. Calls visit for each; stops when visit returns non-zero. Returns how many were visited.
 */
int rpf_netns_counters(int (*visit)(void *context, const struct rpf_netns_counter *counter), void *context);

/*
 * The value of a setting under /proc/sys, e.g. "net/ipv4/conf/all/rp_filter", in a network namespace; 0 = our own.
 * -ESRCH when the namespace cannot be found, -EPERM when it cannot be entered.
 */
int rpf_setting(uint32_t netns, const char *name, char *value, size_t bytes);

/*
 * One IPv4 setting, e.g. "rp_filter", of `all`, `default` and every device of a network namespace; 0 = our own. Calls visit
 * in the namespace's own thread for each; stops when visit returns non-zero. Returns 0, or an error as rpf_setting() does.
 */
int rpf_settings(uint32_t netns, const char *setting,
		 int (*visit)(void *context, const char *device, const char *value), void *context);

/* ---- routes (rpf_route.c): no tracer needed ---- */

#define RPF_ROUTE_HOPS 8

struct rpf_route_query {
	uint8_t family;	  /* AF_INET, AF_INET6 */
	uint8_t with_src; /* 1: src belongs to the question */
	uint8_t dst[16];  /* network order */
	uint8_t src[16];
	uint32_t iif; /* device that the packet came in by; 0 = made here */
	uint32_t oif; /* device that it is to leave by; 0 = any. Not with iif */
	uint32_t mark;
};

struct rpf_route {
	int32_t lookup_err; /* 0, or the negative errno that the kernel answered: -ENETUNREACH, -EHOSTUNREACH, ... */
	uint32_t type;	/* RTN_UNICAST, ... */
	uint32_t scope; /* RT_SCOPE_* */
	uint32_t table;
	uint32_t ifindex; /* of the first next hop */
	uint32_t priority;
	uint32_t nexthop_id; /* 0 = no nexthop object */
	uint32_t hops;	     /* next hops; 0 = none or held by the nexthop object */
	uint32_t hop_ifindex[RPF_ROUTE_HOPS];
	uint8_t prefix[16];
	uint8_t prefix_length;
	uint8_t gateway_family; /* 0 = none */
	uint8_t gateway[16];
	char device[16];
};

/* Looks a route up in a network namespace (0 = our own). 0 means that the kernel answered, with a route or an error. */
int rpf_route_lookup(uint32_t netns, const struct rpf_route_query *query, struct rpf_route *route);

/* What the policy rules of a network namespace look at beside the destination: a bit set of enum rpf_rules. */
enum rpf_rules {
	RPF_RULES_CUSTOM = 1 << 0, /* others than the three that every namespace starts with */
	RPF_RULES_SOURCE = 1 << 1,
	RPF_RULES_DEVICE = 1 << 2, /* the device that a packet came in by */
	RPF_RULES_MARK = 1 << 3,
	RPF_RULES_VRF = 1 << 4,	      /* l3mdev */
	RPF_RULES_OTHER = 1 << 5,     /* TOS, protocol, ports, tunnel, user */
	RPF_RULES_BLACKHOLE = 1 << 6, /* rules that end a lookup themselves */
	RPF_RULES_UNREACHABLE = 1 << 7,
	RPF_RULES_PROHIBIT = 1 << 8,
};

/* Reads the policy rules of a family, AF_INET or AF_INET6, of a network namespace (0 = our own) into rules. */
int rpf_route_rules(uint32_t netns, uint8_t family, uint32_t *rules);

/* ---- what there is in the network namespaces (rpf_survey.c): no tracer needed ---- */

#define RPF_SURVEY_NETNS 1024 /* namespaces that are looked into; of further ones only the address is told */

/* What decides about sources, of a device, of `all` or of `default`. */
struct rpf_conf {
	int32_t rp_filter;
	int32_t accept_local;
	int32_t src_valid_mark;
	int32_t route_localnet;
	int32_t forwarding;
};

struct rpf_survey_netns {
	uint32_t netns;	     /* inode number */
	uint32_t pid;	     /* a process inside; 0 when it was found as a bind mount */
	int32_t err;	     /* negative errno when it could not be looked into */
	int32_t conf_err;    /* negative errno when the two that follow could not be read */
	struct rpf_conf all; /* /proc/sys/net/ipv4/conf/all */
	struct rpf_conf defaults;
	uint32_t uplink_ifindex; /* device that the default route leaves by; 0 = there is none */
	uint8_t outside[4];	 /* an address that is reached by it */
	char path[256];		 /* where it was found, e.g. /run/netns/pod */
};

struct rpf_survey_device {
	char name[16];
	char kind[16]; /* rtnl_link_ops->kind; empty for hardware */
	uint32_t ifindex;
	uint32_t flags; /* IFF_* */
	uint32_t type;	/* ARPHRD_* */
	uint32_t master_ifindex;
	uint32_t link_ifindex; /* the other end of a pair, or the device below; 0 = none */
	uint32_t link_netns;   /* inode number of its network namespace; 0 = unknown */
	uint32_t has_conf;     /* 0: the device has no IPv4 part */
	struct rpf_conf conf;
};

struct rpf_survey_address {
	uint32_t ifindex;
	uint8_t address[4];
	uint8_t prefix_length;
	uint8_t scope; /* RT_SCOPE_* */
	uint8_t _reserved[2];
};

/* Each is called after netns() for the namespace it belongs to. */
struct rpf_surveyor {
	void (*netns)(void *context, const struct rpf_survey_netns *netns);
	void (*device)(void *context, const struct rpf_survey_device *device);
	void (*address)(void *context, const struct rpf_survey_address *address);
};

/*
 * Looks into every network namespace that can be found, our own first: its devices with their settings, and their IPv4
 * addresses. The surveyor is called in a thread of ours. A device or an address may be told twice when it changes meanwhile.
 */
int rpf_survey(const struct rpf_surveyor *surveyor, void *context);

/* Where an address behind a device is known from. */
enum rpf_neighbour_source { RPF_FROM_ROUTE, RPF_FROM_NEIGHBOUR };

/*
 * The IPv4 addresses behind the devices of a network namespace (0 = our own): those with a route of their own (/32, not in
 * table local) and those of neighbours. Looks at no more than 65536 of each; then it returns 1, else 0 or an error as
 * rpf_setting() does.
 */
int rpf_neighbours(uint32_t netns,
		   void (*visit)(void *context, const struct rpf_survey_address *address,
				 enum rpf_neighbour_source source),
		   void *context);

/* ---- what this kernel and these privileges allow (rpf_trial.c): no tracer needed ---- */

struct rpf_trial {
	const char *name; /* "tp_btf/kfree_skb", "ringbuf", ... */
	int32_t err;	  /* 0: it works; else a negative errno */
	uint32_t detail;  /* tp_btf/kfree_skb: its arguments on this kernel */
	const char *step; /* what failed: "find", "load", "attach"; "" when it works */
};

/* Tries each hook and feature by itself with a program that does nothing, and takes it away again at once. */
void rpf_trials(void (*visit)(void *context, const struct rpf_trial *trial), void *context);

/* ---- filter expressions (rpf_filter.c): no tracer needed ---- */

/*
 * Compiles a pcap-filter(7) expression without using it. Returns 0, or -EINVAL with libpcap's words in message and the
 * byte offset of the first word that no valid expression could have in position.
 */
int rpf_filter_check(const char *expression, char *message, size_t bytes, size_t *position);

#ifdef __cplusplus
}
#endif
#endif
