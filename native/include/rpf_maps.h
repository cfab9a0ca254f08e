/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What the BPF programs and the core share besides records: the flow table, the totals and the settings. */
#ifndef RPF_MAPS_H
#define RPF_MAPS_H

#include "rpf_pods.h"
#include "rpf_record.h"

/*
 * The flow table: for each CPU a run of slots, looked up by flow, and a short run of coarse slots for the drops whose
 * flow finds no place. It is an mmapable array, so the core drains it by reading memory.
 *
 * slot->word is what the two sides meet at, changed by atomic operations only:
 *
 *   RPF_SLOT_LIVE   flow and detail are valid and stay as they are
 *   RPF_SLOT_BUSY   the BPF program is filling flow and detail
 *   generation      goes up with every claim, so that a compare-and-swap never hits a later flow
 *   count           drops counted and not yet drained
 *
 *   RPF_SLOT_DYING  where BPF cannot compare and swap: will be free after one more interval, in which late counts come
 *
 * BPF claims (free -> busy -> live) and counts (compare-and-swap of word to word + 1). The core takes counts, and frees a
 * slot whose count stayed 0 for a whole interval or that has lived for RPF_SLOT_INTERVALS (compare-and-swap of the word
 * that it has read to free).
 */
#define RPF_SLOT_LIVE (1ULL << 63)
#define RPF_SLOT_BUSY (1ULL << 62)
#define RPF_SLOT_DYING (1ULL << 61)
#define RPF_SLOT_GENERATION (1ULL << 40)
#define RPF_SLOT_GENERATION_MASK (((1ULL << 61) - 1) & ~(RPF_SLOT_GENERATION - 1))
#define RPF_SLOT_COUNT_MASK (RPF_SLOT_GENERATION - 1) /* 2^40 drops an interval */

#define RPF_SLOT_INTERVALS 10 /* so old at most is what an aggregate says of its flow */
#define RPF_COARSE_SLOTS 64   /* per CPU: devices times reasons that a node drops at in one flood */
#define RPF_PROBES 8	      /* slots tried for a flow before it counts as coarse */
#define RPF_COARSE_PROBES 4

struct rpf_slot {
	__u64 word;
	__u64 first_jiffies; /* first drop since the count was last taken */
	__u64 last_jiffies;
	__u32 whole;	 /* drops of the flow that went out whole, counted from whole_before */
	__u32 _reserved; /* keeps flow 8-aligned */
	struct rpf_flow flow;
	struct rpf_detail detail;
	__u8 _pad[8]; /* makes the size a multiple of the cache line */
};

struct rpf_total_key {
	__u64 netns_cookie; /* inode numbers are given again to new namespaces; cookies never */
	__u32 netns;
	__u32 reason;
};

/*
 * The totals: one entry per CPU for each pair of network namespace and reason. total_index gives a pair its place in
 * totals; a small cache per CPU in front of it spares the hot path the hash map. Network namespaces come and go, so that
 * places run out: pairs that find none are summed by reason, as of namespace 0, in the last places, which are kept for
 * that. Place 0 takes what finds none of these either.
 */
#define RPF_TOTALS 4096
#define RPF_TOTALS_OF_REASONS 256 /* kernels have some 150, drivers and modules a few more */
#define RPF_TOTALS_OF_PAIRS (RPF_TOTALS - 1 - RPF_TOTALS_OF_REASONS)
#define RPF_TOTAL_UNATTRIBUTED 0
#define RPF_TOTAL_CACHE 64 /* power of two */

struct rpf_total_value {
	__u64 seen;
	__u64 matched;
	__u64 lost;
	__u64 coarse;
};

struct rpf_total_cache {
	struct rpf_total_key key;
	__u32 place;	    /* 0: empty */
	__u32 _reserved[3]; /* makes the size a power of two */
};

#define RPF_SYMBOL_BYTES 128 /* KSYM_NAME_LEN is 512 since v6.1, but C symbols stay far below this */

#define RPF_PATTERNS 16 /* RPF_MAX_DEVICES of the core */

/* A device name as two words, compared under a mask: an exact name or a prefix. */
struct rpf_pattern {
	__u64 value[2];
	__u64 mask[2];
};

enum rpf_filters {
	RPF_FILTER_NETNS = 1 << 0,
	RPF_FILTER_REASON = 1 << 1,
	RPF_FILTER_DEVICE = 1 << 2,
	RPF_FILTER_EXPRESSION = 1 << 3,
	RPF_FILTER_VLAN = 1 << 4, /* the expression asks for VLAN tags */
	RPF_FILTER_PODS = 1 << 5,
};

/* Flags and filters that both sides write while the programs run. */
struct rpf_control {
	__u32 idle; /* 1: the reader sleeps until it is woken; the program that finds it so sets it to 0 and wakes it */
	__u32 claimed; /* 1: a flow slot was claimed since the core last set it to 0 */
	__u32 lost;    /* 1: a record was lost since the core last set it to 0 */
	__u32 filters; /* enum rpf_filters */
	__u32 pattern_count;
	__u32 pairs;	     /* places for pairs; at most RPF_TOTALS_OF_PAIRS */
	__u32 pairs_taken;   /* of these */
	__u32 reasons_taken; /* of RPF_TOTALS_OF_REASONS */
	__u32 witness;	     /* 1: route lookups are watched */
	__u32 whole_before; /* a new flow's whole drops are counted from here: the times that lookups were watched */
	__u32 whole_per_flow; /* whole drops of a flow are sent up to this count */
	__u32 sysctl_lost;    /* sysctl records that found no room in the ring */
	struct rpf_pattern patterns[RPF_PATTERNS];
};

#define RPF_EXECS \
	512 /* programs executed lately: seconds of a busy node, and who is looked for is so at once */

struct rpf_exec_key {
	__u32 number; /* of the process, in its own PID namespace */
	__u32 netns;  /* in which it was executed */
};

#define RPF_LOOKUPS 8 /* per CPU, power of two: a packet under custom rules makes 4 or 5 */

/* One route lookup in one table. */
struct rpf_lookup {
	__u32 daddr; /* network order */
	__u32 saddr;
	__u32 table;
	__s32 err;
	__u32 ifindex;
	__u32 gateway;
	__u8 type;
	__u8 scope;
	__u16 _reserved;
	__u32 _reserved_too; /* keeps device 8-aligned */
	char device[RPF_NAME_BYTES];
};

struct rpf_lookups {
	__u32 next;
	__u32 _reserved; /* keeps at 8-aligned */
	struct rpf_lookup at[RPF_LOOKUPS];
};

/* Both clocks at one moment, so that the core can turn jiffies into time. */
struct rpf_clock {
	__u64 jiffies;
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* Set by the core before loading; constants to the programs. */
struct rpf_settings {
	__u32 every;
	__u32 snaplen;
	__u32 flow_mask;       /* flow slots per CPU, minus 1 */
	__u32 slots_per_cpu;   /* flow slots and coarse slots */
	__u32 join_refusals;   /* 1: drops are joined with what the hooks on refused sources saw */
	__u32 rpfilter_reason; /* what stands for IP_RPFILTER where the tracepoint does not tell it, else 0 */
	__s32 rpfilter_result; /* what fib_validate_source() returns where rp_filter refused */
	__u32 has_expression; /* 0: what runs expressions is left out, and the verifier does not look at it (v6.8) */
	__u32 rpfilter_counter; /* where IPReversePathFilter stands in struct linux_mib, bytes; 0 = it is not looked at */
};

/* The last refused source that the hooks saw on a CPU. */
struct rpf_refusal {
	__u64 skb;
	__u64 counter; /* address of this CPU's IPReversePathFilter in its network namespace; 0 = not looked at */
	__u64 counted; /* what stood there when the source was refused */
	__s32 err;     /* what fib_validate_source() returned, or its caller; 0 = not watched */
	__u32 refused; /* 1: it is the source that was refused */
};

#endif
