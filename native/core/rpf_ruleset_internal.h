/* SPDX-License-Identifier: Apache-2.0 */
/* What reading nf_tables, reading x_tables and walking over both share. */
#ifndef RPF_RULESET_INTERNAL_H
#define RPF_RULESET_INTERNAL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>

#include "rpf_ruleset.h"

/* A rule as it was read. */
struct rpf_parsed_rule {
	uint8_t verdict;
	uint8_t check;
	uint8_t is_iptables;
	uint8_t more;
	uint8_t has_packets;
	uint8_t conditions;
	uint32_t number;
	uint32_t target_offset; /* x_tables: where the chain starts that it jumps to */
	uint64_t handle;
	uint64_t packets;
	char *target; /* nf_tables: the chain that it jumps to */
	char *comment;
	struct rpf_condition condition[RPF_RULE_CONDITIONS];
};

struct rpf_chain {
	uint8_t kind; /* RPF_RULE_NFT or RPF_RULE_LEGACY */
	uint8_t family;
	uint8_t hook;	    /* enum rpf_rule_hook; 0 = no base chain that packets meet on their way in */
	uint8_t drops_rest; /* policy */
	uint8_t is_loaded;
	uint8_t more; /* bound to devices that are not told */
	uint8_t conditions;
	int32_t priority;
	uint32_t offset; /* x_tables: of its first rule */
	uint32_t hash;	 /* of its name */
	uint64_t policy_packets;
	char *table;
	char *name;
	struct rpf_condition condition; /* the device of a netdev chain */
	struct rpf_parsed_rule *rules;
	size_t count;
	size_t room;
};

struct rpf_chains {
	uint8_t family; /* AF_* of the packet */
	uint32_t hooks; /* 1 << enum rpf_rule_hook */
	uint64_t deadline_ns;
	bool is_cut;
	struct rpf_chain *chains;
	size_t count;
	size_t room;
};

bool rpf_chains_late(struct rpf_chains *chains);
/* NULL when there is no memory. What was returned before is invalid then. */
struct rpf_chain *rpf_chains_add(struct rpf_chains *chains, const char *table, const char *name);
struct rpf_parsed_rule *rpf_chain_add_rule(struct rpf_chain *chain);
void rpf_chain_forget_rules(struct rpf_chain *chain);
/* Keeps the first ones. */
void rpf_chains_forget(struct rpf_chains *chains, size_t count);

/* Tells the rules of all chains. Those that are not loaded yet are read from the kernel. */
int rpf_chains_walk(struct rpf_chains *chains, void (*visit)(void *context, const struct rpf_rule *rule),
		    void *context);

/* One more condition; where there is no room, only that there is one. */
void rpf_rule_add_condition(struct rpf_parsed_rule *rule, const struct rpf_condition *condition);

/* ---- rpf_nft.c: nf_tables, over nfnetlink ---- */

/* Adds the chains of all tables that packets of this family meet, without rules. */
int rpf_nft_read_chains(struct rpf_chains *chains);
int rpf_nft_read_rules(struct rpf_chains *chains, struct rpf_chain *chain);
int rpf_nft_parse_chain(struct rpf_chains *chains, const struct nlmsghdr *message);
int rpf_nft_parse_rule(struct rpf_chain *chain, const struct nlmsghdr *message);

/* ---- rpf_xtables.c: x_tables, by getsockopt() ---- */

/* Adds the chains of the tables that are there already, with their rules. */
int rpf_xt_read_chains(struct rpf_chains *chains);

#define RPF_XT_HOOKS 5 /* NF_INET_NUMHOOKS of include/uapi/linux/netfilter.h */

struct rpf_xt_table {
	const char *name;
	int32_t priority;
	uint32_t valid_hooks;
	uint32_t hook_entry[RPF_XT_HOOKS];
	uint32_t underflow[RPF_XT_HOOKS];
};

/* Adds the chains of one table. entries: as the kernel gives them, aligned to 8. */
int rpf_xt_parse(struct rpf_chains *chains, const struct rpf_xt_table *table, const unsigned char *entries,
		 size_t bytes);

/* Reads what a match says, of iptables-legacy or of iptables-nft, into rule. info is aligned to 4. */
void rpf_xt_parse_match(struct rpf_parsed_rule *rule, const char *name, const void *info, size_t bytes);
/* enum rpf_rule_verdict of a target that is no standard one. */
uint8_t rpf_xt_verdict_of(const char *target);

#endif
