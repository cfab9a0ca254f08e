/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of netfilter that may have dropped a packet on its way in, of nf_tables and of the older x_tables. Only what
 * decides about that is told: rules that check the reverse path, rules that drop, and what leads packets past them.
 */
#ifndef RPF_RULESET_H
#define RPF_RULESET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RPF_CONDITION_BYTES 16 /* an IPv6 address, a device's name */
#define RPF_RULE_CONDITIONS 8
#define RPF_RULE_COMMENT 128	/* nft(8) takes so many; iptables' longer ones are cut */
#define RPF_RULESET_RULES 2048	/* told at most */
#define RPF_RULESET_STEPS 65536 /* rules looked at at most, those of a chain again for each way into it */

enum rpf_rule_kind {
	RPF_RULE_NFT = 1,	   /* nf_tables */
	RPF_RULE_IPTABLES_NFT = 2, /* nf_tables, in the words of iptables */
	RPF_RULE_LEGACY = 3,	   /* x_tables */
};

/* In the order in which a packet that comes in meets them. */
enum rpf_rule_hook {
	RPF_HOOK_INGRESS = 1,
	RPF_HOOK_PREROUTING = 2,
	RPF_HOOK_INPUT = 3,
	RPF_HOOK_FORWARD = 4,
};

enum rpf_rule_verdict {
	RPF_VERDICT_NONE = 0, /* goes on to the next rule */
	RPF_VERDICT_DROP = 1, /* or rejects */
	RPF_VERDICT_ACCEPT = 2,
	RPF_VERDICT_RETURN = 3,
	RPF_VERDICT_GOTO = 4,
	RPF_VERDICT_OTHER = 5, /* a verdict map, a queue: may drop, may not */
	RPF_VERDICT_JUMP = 6,  /* never told: what is in the chain is told instead */
};

/* How a rule checks the reverse path. */
enum rpf_check {
	RPF_CHECK_REFUSED = 1 << 0,  /* matches packets that fail the check */
	RPF_CHECK_ACCEPTED = 1 << 1, /* matches packets that pass it */
	RPF_CHECK_LOOSE = 1 << 2,    /* any way back will do */
	RPF_CHECK_MARK = 1 << 3,     /* the lookup is made with the packet's mark */
	RPF_CHECK_ACCEPT_LOCAL = 1 << 4,
	RPF_CHECK_XT = 1 << 5, /* the rpfilter match, not the fib expression */
};

enum rpf_field {
	RPF_FIELD_IIFNAME = 1,	 /* 16 bytes, the rest is 0 */
	RPF_FIELD_IIF = 2,	 /* ifindex, byte order of the machine */
	RPF_FIELD_MARK = 3,	 /* as above */
	RPF_FIELD_NFPROTO = 4,	 /* one byte: NFPROTO_IPV4, NFPROTO_IPV6 */
	RPF_FIELD_ETHERTYPE = 5, /* network order */
	RPF_FIELD_L4PROTO = 6,	 /* one byte: IPPROTO_* */
	RPF_FIELD_SRC = 7,	 /* address */
	RPF_FIELD_DST = 8,
};

/* The first `length` bytes of the field, masked, are `value`; with negate they are not. */
struct rpf_condition {
	uint8_t field; /* enum rpf_field */
	uint8_t negate;
	uint8_t length;
	uint8_t value[RPF_CONDITION_BYTES];
	uint8_t mask[RPF_CONDITION_BYTES];
};

struct rpf_rule {
	uint8_t kind;	   /* enum rpf_rule_kind */
	uint8_t family;	   /* NFPROTO_* of its table */
	uint8_t hook;	   /* enum rpf_rule_hook */
	uint8_t verdict;   /* enum rpf_rule_verdict */
	uint8_t check;	   /* enum rpf_check; 0 = none */
	uint8_t is_policy; /* no rule, but what its base chain does with the rest */
	uint8_t in_base;   /* its chain is a base chain */
	uint8_t more;	   /* it has conditions that are not told */
	uint8_t has_packets;
	uint8_t conditions;
	uint8_t own_from; /* its own ones, in condition; the others are those of the jumps that lead to it */
	uint8_t own_to;
	uint8_t own_more;
	uint32_t base; /* counts base chains */
	int32_t priority;
	uint32_t number;  /* in its chain, from 1; 0 with is_policy */
	uint64_t handle;  /* 0 where there is none */
	uint64_t packets; /* packets that matched all of it */
	const char *table;
	const char *chain;
	const char *base_chain;
	const char *via;     /* a rule that jumps: the chain in which the packet is dropped; else NULL */
	const char *comment; /* or NULL */
	struct rpf_condition condition[RPF_RULE_CONDITIONS];
};

enum rpf_ruleset_flags {
	RPF_RULESET_CUT = 1 << 0, /* too many rules, or no time left: the last ones are missing */
};

/*
 * Tells the rules of a network namespace (0 = our own) for packets of a family, AF_INET or AF_INET6, in some hooks (a set of
 * 1 << enum rpf_rule_hook), in the order in which a packet meets them. Chains of type nat are left out: they are not for dropping,
 * and on some nodes they are large. visit runs in the namespace's own thread; strings are valid during the call. Takes not much more than
 * budget_ms. Loads no module, and makes no table. Returns enum rpf_ruleset_flags, or a negative errno: -ESRCH when the
 * namespace cannot be found, -EPERM without CAP_NET_ADMIN there.
 */
int rpf_ruleset(uint32_t netns, uint8_t family, uint32_t hooks, uint32_t budget_ms,
		void (*visit)(void *context, const struct rpf_rule *rule), void *context);

#ifdef __cplusplus
}
#endif
#endif
