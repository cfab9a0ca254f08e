/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the core share with each other and with nobody else. */
#ifndef RPF_INTERNAL_H
#define RPF_INTERNAL_H

#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "rpf_core.h"
#include "rpf_error.h"
#include "rpf_maps.h"
#include "rpf_record.h"

/* The compiled BPF programs, embedded at build time. */
extern const unsigned char rpf_bpf_cast_object[];
extern const size_t rpf_bpf_cast_object_size;
extern const unsigned char rpf_bpf_probe_object[];
extern const size_t rpf_bpf_probe_object_size;
extern const unsigned char rpf_bpf_legacy_object[];
extern const size_t rpf_bpf_legacy_object_size;

/* ---- rpf_core.c ---- */

/* The first half of rpf_open(): probes the kernel and loads the programs. */
int rpf_load(const struct rpf_config *config, struct rpf_tracer **loaded, struct rpf_error *error);

/* ---- rpf_ahead.c: loading in a thread ---- */

/* 1: that is loaded now which was begun with rpf_load_ahead(); 0: nothing like this was; or the error that came of it. */
int rpf_take_loaded(const struct rpf_config *config, struct rpf_tracer **tracer, struct rpf_error *error);

/* ---- rpf_batch.c: where records are gathered ---- */

struct rpf_writer {
	unsigned char *start;
	unsigned char *at;
	unsigned char *end;
	uint64_t drops;	  /* sum of count of the drop records written */
	uint64_t records; /* drop records written */
};

/* Room for one record, or NULL when the batch is full. */
void *rpf_writer_reserve(struct rpf_writer *writer, size_t bytes);

/* Starts a batch: its struct rpf_batch. */
void rpf_writer_begin(struct rpf_writer *writer, void *buffer, size_t bytes);

/* Bytes of the batch; 0 when nothing but the struct rpf_batch is in it. */
size_t rpf_writer_finish(const struct rpf_writer *writer);

uint64_t rpf_now_ns(void);

/* ---- rpf_ring.c: the reader's side of a BPF_MAP_TYPE_RINGBUF ---- */

struct rpf_ring {
	int fd;
	size_t mask;
	size_t page;
	_Atomic unsigned long *consumer;
	_Atomic unsigned long *producer;
	const unsigned char *data;
	unsigned long end; /* up to where rpf_ring_drain() goes */
};

int rpf_ring_open(struct rpf_ring *ring, int map_fd, size_t bytes);
void rpf_ring_close(struct rpf_ring *ring);
bool rpf_ring_empty(const struct rpf_ring *ring);
/* What is in the ring now is what the next drain takes. */
void rpf_ring_mark(struct rpf_ring *ring);
/* Copies whole records out up to the mark or until the batch is full. false: the batch is full. */
bool rpf_ring_drain(struct rpf_ring *ring, struct rpf_writer *writer);

/* ---- rpf_flows.c: the reader's side of the flow table ---- */

struct rpf_flows {
	struct rpf_slot *slots;
	uint8_t *age; /* of each slot: drains that found it live */
	uint32_t slots_per_cpu;
	uint32_t slot_count;
	uint32_t next;		/* where the drain goes on; slot_count = no drain under way */
	struct rpf_clock clock; /* when the drain began */
	uint64_t tick_ns;
	bool late_counts; /* BPF adds to a slot without comparing: what is to be free waits for late counts */
	uint32_t live;	  /* flows seen by the drain so far */
	uint32_t live_before; /* flows seen by the last whole drain */
};

int rpf_flows_init(struct rpf_flows *flows, struct rpf_slot *slots, uint32_t slot_count, uint32_t slots_per_cpu);
void rpf_flows_free(struct rpf_flows *flows);
void rpf_flows_begin(struct rpf_flows *flows, const struct rpf_clock *clock);
/* Writes an aggregate for each flow with a count, frees the idle ones. false: the batch is full, call again. */
bool rpf_flows_drain(struct rpf_flows *flows, struct rpf_writer *writer);

/* ---- rpf_links.c: devices of this network namespace over rtnetlink ---- */

struct rpf_links {
	struct mnl_socket *socket; /* NULL: netlink could not be opened */
	bool dump_wanted;
	bool forget_wanted;   /* what was told so far may be wrong: devices may have gone unseen */
	size_t pending_bytes; /* of a message run that did not fit into the last batch */
	size_t pending_at;
	unsigned char *buffer;
};

int rpf_links_open(struct rpf_links *links);
void rpf_links_close(struct rpf_links *links);
int rpf_links_fd(const struct rpf_links *links);
/* Turns what has arrived into records, without waiting. false: the batch is full, call again. */
bool rpf_links_drain(struct rpf_links *links, struct rpf_writer *writer);

/* ---- rpf_route.c ---- */

/* Reads an RTM_NEWROUTE or RTM_DELROUTE; everything but the device's name. false: too short. */
bool rpf_route_read(const struct nlmsghdr *message, struct rpf_route *route);
/* What an RTM_NEWRULE or RTM_DELRULE looks at: enum rpf_rules without RPF_RULES_CUSTOM. The message has a whole head. */
uint32_t rpf_rule_selectors(const struct nlmsghdr *message);

/* ---- rpf_change.c: what an rtnetlink message says about routes and settings ---- */

/* Fills in what the message says; header, times, netns and names that it does not carry are left alone. false: nothing. */
bool rpf_change_read(const struct nlmsghdr *message, struct rpf_route_change *change);
/* The same for settings. ifindex: NETCONFA_IFINDEX_ALL, NETCONFA_IFINDEX_DEFAULT or a device. */
bool rpf_netconf_read(const struct nlmsghdr *message, struct rpf_netconf *netconf, int32_t *ifindex);

/* ---- rpf_watch.c: network namespaces whose changes are listened to ---- */

#define RPF_WATCHES 16	      /* namespaces at a time: each is a socket that keeps its namespace alive */
#define RPF_PARKED_NETCONF 32 /* devices whose settings change between two looks at the ring */

struct rpf_watch {
	uint32_t netns;
	int fd;		    /* -1: this place is free */
	char path[256];	    /* by which the namespace is seen to be there still; empty: our own */
	uint64_t looked_ns; /* when there was nothing to read last */
	uint64_t second_ns; /* when the second began that told counts in */
	uint32_t told;	    /* changes told one by one in this second */
	uint64_t many;	    /* changes that are to be told as a number */
	uint64_t many_since_ns;
	bool missed;
	bool gone;
	bool netconf_passed_over;
};

struct rpf_watches {
	pthread_mutex_t lock; /* guards all below: namespaces come from one thread, and are drained by another */
	int epoll_fd;	      /* -1: nothing can be listened to */
	struct rpf_watch at[RPF_WATCHES];
	unsigned char *buffer;
	uint64_t checked_ns; /* when the paths were looked at last */
	bool flooded;	     /* poll thread only, as pending is */
	bool pending;	     /* something is to be told that nothing will wake us for */
	struct rpf_netconf parked[RPF_PARKED_NETCONF];
	unsigned long parked_mark[RPF_PARKED_NETCONF]; /* end of the ring when the message was read */
	uint32_t parked_count;
	uint64_t many_told_ns;
	unsigned int next; /* the watch that is read first: one that is flooded must not keep the others waiting */
};

int rpf_watches_open(struct rpf_watches *watches);
void rpf_watches_close(struct rpf_watches *watches);
/* 0, or a negative errno: -ESRCH, -EPERM, -ENOSPC when there are RPF_WATCHES already. netns 0 is our own. */
int rpf_watches_add(struct rpf_watches *watches, uint32_t netns);
void rpf_watches_remove(struct rpf_watches *watches, uint32_t netns);
/* For poll(): -1 while there is so much to read that it is read by the clock. */
int rpf_watches_fd(const struct rpf_watches *watches);
/* How long poll() may take at most, -1: any time. */
int rpf_watches_limit_ms(const struct rpf_watches *watches);
/* Tells what routes have become. is_urgent: drops follow that must not be explained by older ones. false: batch full. */
bool rpf_watches_drain(struct rpf_watches *watches, const struct rpf_ring *ring, bool is_urgent,
		       struct rpf_writer *writer);
/* Tells the settings whose writes, if they were seen, have been taken from the ring. false: batch full. */
bool rpf_watches_drain_netconf(struct rpf_watches *watches, const struct rpf_ring *ring,
			       struct rpf_writer *writer);

/* ---- rpf_totals.c ---- */

/* As rpf_totals(); adds up coarse counts too unless coarse is NULL. At most RPF_TOTALS + 1 totals. */
int rpf_read_totals(const struct rpf_tracer *tracer, struct rpf_total *totals, size_t max, uint64_t *coarse);
/* Makes the next drain look at all totals again. */
void rpf_lost_begin(struct rpf_tracer *tracer);
/* Writes a lost record for each total whose loss grew. false: the batch is full, call again. */
bool rpf_lost_drain(struct rpf_tracer *tracer, struct rpf_writer *writer);

/* ---- rpf_probe.c: what this kernel and these privileges allow ---- */

struct rpf_features {
	uint32_t kfree_skb_arguments; /* 2, 3 or 4 */
	bool rdonly_cast;
	bool legacy;		  /* no bpf_loop, and what came with it or shortly before */
	bool rpfilter_reason;	  /* the tracepoint tells the drop reason IP_RPFILTER */
	bool source_reasons;	  /* and those for all other refused sources */
	uint32_t rpfilter_number; /* of IP_RPFILTER in the kernel's BTF, or RPF_REASON_RPFILTER */
	uint32_t rpfilter_counter; /* where IPReversePathFilter stands in struct linux_mib, bytes; 0 = unknown */
	int rpfilter_result;	   /* what fib_validate_source() returns where rp_filter refused */
	bool counts_memlock;	   /* maps count as locked memory: before v5.11 */
};

/* ---- rpf_hooks.c: the hooks on refused sources ---- */

enum rpf_hook {
	RPF_HOOK_NONE,
	RPF_HOOK_REFUSED_FENTRY,
	RPF_HOOK_REFUSED_KPROBE,
	RPF_HOOK_RESULT_FEXIT,
	RPF_HOOK_VALIDATED_FEXIT,
	RPF_HOOK_VALIDATED_KPROBE,
	RPF_HOOK_RESULT_COUNTER, /* no program: what the kernel has counted from the refusal up to the drop */
};

#define RPF_HOOK_PROGRAMS 2 /* what stands at the entry of a function, and at its return */

struct rpf_chosen_hook {
	enum rpf_hook hook;
	int err; /* why it is not there, a negative errno */
	struct bpf_link *links[RPF_HOOK_PROGRAMS];
};

struct rpf_hooks {
	struct rpf_chosen_hook refused; /* that a source was refused */
	struct rpf_chosen_hook result;	/* whether rp_filter refused it */
};

struct btf;
/* Where the tracepoint does not tell what rp_filter refused, something that sees the result is chosen too. */
void rpf_choose_hooks(const struct btf *btf, enum rpf_backend backend, const struct rpf_features *features,
		      struct rpf_hooks *hooks);
/* Whether the drops of refused sources are held against the kernel's counter. */
bool rpf_reads_counter(const struct rpf_hooks *hooks);
/* Whether any of them is there, so that drops are to be joined with what they see. */
bool rpf_joins_refusals(const struct rpf_hooks *hooks);
/* Does without kprobes, whose programs the kernel refused with err. false: there are none. */
bool rpf_give_up_kprobes(struct rpf_hooks *hooks, int err);
/* Before loading: only the programs of the chosen hooks are loaded. */
void rpf_prepare_hooks(struct bpf_object *object, const struct rpf_hooks *hooks);
void rpf_attach_hooks(struct bpf_object *object, struct rpf_hooks *hooks);
void rpf_detach_hooks(struct rpf_hooks *hooks);
/* "fentry/ip_handle_martian_source"; NULL for RPF_HOOK_NONE. */
const char *rpf_hook_name(enum rpf_hook hook);

/* Arity of the tracepoint on this kernel, or a negative errno where BTF does not tell. */
int rpf_kfree_skb_arguments(const struct btf *btf);
/* Where IPReversePathFilter stands in struct linux_mib, bytes; 0 where BTF does not tell. */
uint32_t rpf_counter_offset(const struct btf *btf);
/*
 * Chooses the hooks on refused sources too. Fails where the backend that was asked for is not to be had. What is put in btf is
 * to be released in any case.
 */
int rpf_probe_features(const struct rpf_config *config, struct btf **btf, struct rpf_features *features,
		       struct rpf_hooks *hooks, struct rpf_error *error);
/* Names the reason behind a refused load as well as can be told. Returns err. */
int rpf_explain_refusal(int err, const char *what, bool probe_read, struct rpf_error *error);

/* ---- rpf_btf.c: the types of the running kernel ---- */

#define RPF_BTF_PATH "/sys/kernel/btf/vmlinux"

/* Shared with all others that have it at the moment, for reading. NULL: errno. To be released. */
struct btf *rpf_kernel_btf(void);
void rpf_release_kernel_btf(const struct btf *btf);
/* What a program for a tracepoint is attached to: the type of its prototype, or a negative errno. */
int rpf_find_tracepoint(const struct btf *btf, const char *name);

/* ---- rpf_trial.c ---- */

/* Why the kernel has just refused to attach, from errno: a negative errno that has a name. */
int rpf_attach_error(void);
/* 0, or why no kprobe can stand at a function, a negative errno; step then says what failed: "load" or "attach". */
int rpf_try_kprobe(const char *function, bool at_return, const char **step);

/* ---- rpf_user_read.c ---- */

/* Before an object is opened: its programs may read what belongs to processes wherever the kernel allows that. */
void rpf_keep_user_reads(void);

/* ---- rpf_kallsyms.c: names of kernel text for kernels that do not name it to programs ---- */

struct rpf_kallsyms;
/* 0, or why it cannot be read: -EPERM where it hides its addresses. */
int rpf_kallsyms_check(void);
/* Reads /proc/kallsyms: some 100 ms. NULL: it cannot be read, or hides its addresses; then errno. */
struct rpf_kallsyms *rpf_kallsyms_read(void);
void rpf_kallsyms_free(struct rpf_kallsyms *kallsyms);
/* Writes "symbol+0xoffset" and returns its length, or -ENOENT. */
int rpf_kallsyms_name(const struct rpf_kallsyms *kallsyms, uint64_t address, char *buffer, size_t bytes);

/* ---- rpf_memlock.c: for kernels that count maps as locked memory ---- */

/* Up to what this process may have. */
void rpf_raise_memlock(void);
/* Says that the limit is why an object was refused with err and returns err; 0 where there is no limit. */
int rpf_explain_memlock(int err, const struct bpf_object *object, struct rpf_error *error);

/* ---- rpf_cgroup.c ---- */

/* A descriptor of the root of the cgroup v2 hierarchy, or a negative errno. */
int rpf_cgroup_root(void);

/* ---- rpf_netlink.c: in the network namespace of the calling thread ---- */

int rpf_with_rtnetlink(int (*work)(struct mnl_socket *socket, void *context), void *context);
/* Asks for everything of a kind. -EINTR: it changed meanwhile. What visit returns as MNL_CB_ERROR ends it with -errno. */
int rpf_rtnetlink_dump(uint16_t type, const void *head, size_t head_bytes, mnl_cb_t visit, void *context);

/* The first 4 bytes of an attribute; where it has fewer, what was there stays. */
void rpf_attr_copy_word(void *to, const struct nlattr *attribute);
/* A name of a device, cut to RPF_NAME_BYTES. */
void rpf_attr_copy_name(char *to, const struct nlattr *attribute);
/* The kind of a device, out of its IFLA_LINKINFO. */
void rpf_attr_copy_kind(char *to, const struct nlattr *linkinfo);
/*
 * IFLA_INET_CONF out of an IFLA_AF_SPEC, NULL where it is not there: one word for each IPV4_DEVCONF_*, the first is number 1
 * (inet_fill_link_af(), net/ipv4/devinet.c, v6.18).
 */
const struct nlattr *rpf_attr_devconf(const struct nlattr *af_spec);

/* ---- rpf_netns.c ---- */

/* As which these tell our own namespace, which comes first. */
#define RPF_OWN_NETNS "/proc/thread-self/ns/net"
/* As rpf_netns_counters(), without entering any: the counters are not read. */
int rpf_find_netns(int (*visit)(void *context, const struct rpf_netns_counter *found), void *context);

/* A path by which a network namespace other than ours can be entered. -ESRCH: there is none. */
int rpf_netns_find(uint32_t netns, char *path, size_t bytes);
/* Whether a path leads to a network namespace. */
bool rpf_netns_leads_to(const char *path, uint32_t netns);

/* Runs work in a network namespace, in a thread of its own unless it is ours (or 0). Returns what work returned. */
int rpf_in_netns(uint32_t netns, int (*work)(void *context), void *context);
/* The same in the one that a path leads to; -ESRCH when that is another one by now. */
int rpf_in_netns_at(const char *path, uint32_t netns, int (*work)(void *context), void *context);
/* Up to the end of the first line of a file. */
int rpf_read_line(int folder, const char *path, char *value, size_t bytes);

/* ---- the tracer ---- */

/* The flags of struct rpf_control are written by both sides at any time. Order, where it matters, is made by fences. */
static inline uint32_t rpf_flag(const __u32 *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static inline void rpf_set_flag(__u32 *flag, uint32_t value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

struct rpf_tracer {
	struct rpf_config config;
	struct btf *btf; /* held until attached: what is asked of it meanwhile takes no time */
	struct rpf_features features;
	struct rpf_hooks hooks;
	struct bpf_object *object;
	struct bpf_program *program;  /* the kfree_skb entry of this kernel's arity */
	struct bpf_link *link;	      /* NULL: not attached */
	struct bpf_link *sysctl_link; /* NULL: writes to settings are not watched */
	int sysctl_err;
	struct bpf_link *exec_link; /* NULL: programs that are executed are not remembered */
	int exec_err;
	int routes_err;		       /* why changes in our own network namespace are not listened to */
	struct bpf_link *witness_link; /* NULL: route lookups are not watched */
	int program_fd;
	int symbol_fd; /* program that names an address */
	int clock_fd;  /* program that reads the clocks */
	int totals_fd;
	int total_index_fd;
	uint32_t cpus;
	struct rpf_control *control;   /* mapped: shared with the programs */
	const char *symbol;	       /* mapped: where the symbol program writes; NULL: it is not loaded */
	struct rpf_kallsyms *kallsyms; /* read when it is needed first */
	int names_err;		       /* why addresses of kernel text cannot be named */
	const struct rpf_clock *clock; /* mapped: where the clock program writes */
	struct rpf_ring ring;
	struct rpf_flows flows;
	size_t flow_bytes; /* of the mapped flow table */
	struct rpf_links links;
	struct rpf_watches watches;
	int wake_fd;
	_Atomic bool detached;

	/* Poll thread only. */
	uint64_t next_interval_ns;
	uint64_t batch_ns; /* when the last batch was handed out */
	unsigned int empty_ticks;
	bool final_drain; /* the last drain after detaching has begun */
	bool lost_pending;
	struct rpf_total *told; /* totals as of the last lost records */
	size_t told_count;
	struct rpf_total *totals; /* the totals being told */
	size_t totals_count;
	size_t totals_next;
	uint64_t recursion_told;
	uint64_t recursion_base; /* misses before attaching */

	_Atomic uint64_t delivered;
	_Atomic uint64_t records;
	_Atomic uint64_t live_flows;
};

#endif
