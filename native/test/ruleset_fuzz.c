/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes for chains and rules of nf_tables, and for tables of x_tables: nothing is read outside of them, what is told is
 * well-formed, and the walk ends, jumps in circles included.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "rpf_ruleset_internal.h"

#define MESSAGE_BYTES 8192
#define ALL_HOOKS 0x1e

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static const void *take_bytes(struct input *input, size_t *bytes)
{
	const void *at = input->at;

	if (*bytes > input->left)
		*bytes = input->left;
	input->at += *bytes;
	input->left -= *bytes;
	return at;
}

static void require_rule(void *context, const struct rpf_rule *rule)
{
	(void)context;
	REQUIRE(rule->kind >= RPF_RULE_NFT && rule->kind <= RPF_RULE_LEGACY);
	REQUIRE(rule->hook >= RPF_HOOK_INGRESS && rule->hook <= RPF_HOOK_FORWARD);
	REQUIRE(rule->verdict > RPF_VERDICT_NONE && rule->verdict < RPF_VERDICT_JUMP);
	REQUIRE(rule->conditions <= RPF_RULE_CONDITIONS);
	REQUIRE(rule->own_from <= rule->own_to && rule->own_to <= rule->conditions);
	REQUIRE(!(rule->check & RPF_CHECK_REFUSED) || !(rule->check & RPF_CHECK_ACCEPTED));
	REQUIRE(rule->table && rule->chain && rule->base_chain);
	for (int i = 0; i < rule->conditions; i++) {
		REQUIRE(rule->condition[i].field && rule->condition[i].field <= RPF_FIELD_DST);
		REQUIRE(rule->condition[i].length <= RPF_CONDITION_BYTES);
	}
}

/* ---- nf_tables ---- */

static void put_data(struct nlmsghdr *message, struct input *input, uint16_t type, uint16_t kind)
{
	struct nlattr *nested = mnl_attr_nest_start(message, type);
	size_t bytes = take(input) % 64;
	const void *value = take_bytes(input, &bytes);

	mnl_attr_put(message, kind, bytes, value);
	mnl_attr_nest_end(message, nested);
}

static void put_small(struct nlmsghdr *message, struct input *input, uint16_t type, uint8_t below)
{
	mnl_attr_put_u32(message, type, htonl(take(input) % below));
}

/* Registers, keys, operators and data where expressions mostly have them. */
static void put_usual_attributes(struct nlmsghdr *message, struct input *input)
{
	put_small(message, input, 1, 4);
	put_small(message, input, 2, 18);
	if (take(input) & 1)
		put_small(message, input, 3, 48);
	else
		put_data(message, input, 3, NFTA_DATA_VALUE);
	put_small(message, input, 4, 34);
}

/* Attributes of made-up types and contents. */
static void put_attributes(struct nlmsghdr *message, struct input *input)
{
	int count = take(input) % 6;

	while (count-- > 0) {
		uint8_t what = take(input);
		size_t bytes = what & 0x80 ? take(input) % 64 : 4;
		uint16_t type = 1 + what % 8;

		if (what & 0x40)
			put_data(message, input, type, what & 0x20 ? NFTA_DATA_VALUE : NFTA_DATA_VERDICT);
		else if (what & 0x10)
			put_small(message, input, type, 24);
		else {
			const void *value = take_bytes(input, &bytes);

			mnl_attr_put(message, type, bytes, value);
		}
	}
}

static void put_expression(struct nlmsghdr *message, struct input *input)
{
	static const char *const names[] = { "meta",	  "payload", "bitwise", "fib",	  "cmp",
					     "immediate", "counter", "match",	"target", "lookup",
					     "reject",	  "queue",   "log",	"ct",	  "rpfilter" };
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM), *data;
	uint8_t how = take(input), name = how % 16;

	if (name < 15)
		mnl_attr_put_strz(message, NFTA_EXPR_NAME, names[name]);
	data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	if (!strcmp(names[name % 15], "match") || !strcmp(names[name % 15], "target"))
		mnl_attr_put_strz(message, NFTA_MATCH_NAME, take(input) & 1 ? "rpfilter" : "mark");
	(how & 0x80 ? put_usual_attributes : put_attributes)(message, input);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, element);
}

static struct nlattr *start_expression(struct nlmsghdr *message, const char *name, struct nlattr **data)
{
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);

	mnl_attr_put_strz(message, NFTA_EXPR_NAME, name);
	*data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	return element;
}

static void end_expression(struct nlmsghdr *message, struct nlattr *element, struct nlattr *data)
{
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, element);
}

/* What conditions are made of: something is loaded, and compared with a value of any length. */
static void put_condition(struct nlmsghdr *message, struct input *input)
{
	struct nlattr *data, *element = start_expression(message, "meta", &data);

	mnl_attr_put_u32(message, NFTA_META_DREG, htonl(NFT_REG_1));
	put_small(message, input, NFTA_META_KEY, 18);
	end_expression(message, element, data);
	element = start_expression(message, "cmp", &data);
	mnl_attr_put_u32(message, NFTA_CMP_SREG, htonl(NFT_REG_1));
	put_small(message, input, NFTA_CMP_OP, 3);
	put_data(message, input, NFTA_CMP_DATA, NFTA_DATA_VALUE);
	end_expression(message, element, data);
}

static struct nlmsghdr *start_message(unsigned char *buffer, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

	head->nfgen_family = family;
	return message;
}

static void parse_chain(struct rpf_chains *chains, struct input *input)
{
	unsigned char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET, NFPROTO_NETDEV };
	struct nlmsghdr *message = start_message(buffer, families[take(input) % 4]);

	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, "t");
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, take(input) & 1 ? "a" : "b");
	if (take(input) & 1) {
		struct nlattr *hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);

		mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(take(input) % 7));
		put_attributes(message, input);
		mnl_attr_nest_end(message, hook);
	}
	put_attributes(message, input);
	(void)!rpf_nft_parse_chain(chains, message);
}

static void parse_rule(struct rpf_chain *chain, struct input *input)
{
	unsigned char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = start_message(buffer, chain->family);
	struct nlattr *expressions;
	size_t bytes = take(input) % 16;
	const void *userdata = take_bytes(input, &bytes);
	int count = take(input) % 8;

	expressions = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
	while (count-- > 0)
		(take(input) & 1 ? put_condition : put_expression)(message, input);
	mnl_attr_nest_end(message, expressions);
	mnl_attr_put(message, NFTA_RULE_USERDATA, bytes, userdata);
	(void)!rpf_nft_parse_rule(chain, message);
}

/* One rule that jumps on, so that chains lead to each other, in circles too. */
static void add_jump(struct rpf_chain *chain, uint8_t to)
{
	struct rpf_parsed_rule *rule = rpf_chain_add_rule(chain);

	REQUIRE(rule);
	rule->verdict = to & 2 ? RPF_VERDICT_JUMP : RPF_VERDICT_GOTO;
	rule->target = strdup(to & 1 ? "a" : "b");
	rule->check = to & 4 ? RPF_CHECK_REFUSED : 0;
}

static void fuzz_nft(struct rpf_chains *chains, struct input *input)
{
	size_t i;

	for (i = 0; i < 4; i++)
		parse_chain(chains, input);
	for (i = 0; i < chains->count; i++) {
		struct rpf_chain *chain = &chains->chains[i];

		chain->is_loaded = 1; /* the kernel has no part in this */
		parse_rule(chain, input);
		add_jump(chain, take(input));
		parse_rule(chain, input);
	}
	while (input->left && chains->count)
		parse_rule(&chains->chains[0], input);
}

/* ---- x_tables ---- */

/* Makes entries of what is there: heads with offsets that mostly fit, names that are known, the rest as it comes. */
static void make_entries(uint8_t family, unsigned char *bytes, size_t size)
{
	static const char *const matches[] = { "rpfilter", "mark", "comment", "limit" };
	static const char *const targets[] = { "", "ERROR", "REJECT", "MARK", "TPROXY" };
	size_t head = family == AF_INET6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry), at = 0;

	while (at + head + 80 <= size) {
		size_t at_offsets = at + (family == AF_INET6 ? offsetof(struct ip6t_entry, target_offset)
							     : offsetof(struct ipt_entry, target_offset));
		uint8_t seed = bytes[at];
		uint16_t match = seed & 1 ? 40 : 0, offsets[2] = { head + match, head + match + 40 };
		struct xt_entry_match *name = (void *)(bytes + at + head);
		struct xt_entry_target *target = (void *)(bytes + at + head + match);

		if (seed & 0x80)
			return; /* the rest stays as it was made up */
		memcpy(bytes + at_offsets, offsets, sizeof(offsets));
		if (match) {
			name->u.user.match_size = seed & 0x40 ? bytes[at + 1] * 8 : match;
			strcpy(name->u.user.name, matches[seed >> 1 & 3]);
		}
		target->u.user.target_size = 40;
		strcpy(target->u.user.name, targets[(seed >> 3 & 7) % 5]);
		at += offsets[1];
	}
}

static void fuzz_xtables(struct rpf_chains *chains, struct input *input)
{
	struct rpf_xt_table table = { .name = "raw", .priority = -300, .valid_hooks = take(input) };
	unsigned char *entries;
	size_t bytes, i;

	for (i = 0; i < RPF_XT_HOOKS; i++) {
		table.hook_entry[i] = i ? take(input) * 8 : 0;
		table.underflow[i] = take(input) * 8;
	}
	bytes = input->left & ~7ul;
	entries = malloc(bytes ? bytes : 1);
	REQUIRE(entries);
	memcpy(entries, input->at, bytes);
	make_entries(chains->family, entries, bytes);
	(void)!rpf_xt_parse(chains, &table, entries, bytes);
	free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .at = data, .left = size };
	uint8_t what = take(&input);
	struct rpf_chains chains = { .family = what & 1 ? AF_INET6 : AF_INET, .hooks = ALL_HOOKS };

	if (what & 2)
		fuzz_nft(&chains, &input);
	else
		fuzz_xtables(&chains, &input);
	REQUIRE(!rpf_chains_walk(&chains, require_rule, NULL));
	rpf_chains_forget(&chains, 0);
	free(chains.chains);
	return 0;
}
