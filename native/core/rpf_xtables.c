/* SPDX-License-Identifier: Apache-2.0 */
/* Reads tables of x_tables (iptables-legacy), and matches and targets that iptables-nft takes from there. */
#include <netinet/in.h> /* before the kernel's own, which then leave out what it has */

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpf_ruleset_internal.h"

#define TRIES 3
#define MAX_TABLE_BYTES (64 << 20) /* some 400,000 rules */

_Static_assert(RPF_XT_HOOKS == NF_INET_NUMHOOKS, "hooks of a table");
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
		       sizeof(struct ipt_get_entries) == sizeof(struct ip6t_get_entries) &&
		       (int)IPT_SO_GET_INFO == (int)IP6T_SO_GET_INFO,
	       "both families are asked alike");

/* ---- matches and targets ---- */

static void parse_rpfilter(struct rpf_parsed_rule *rule, const void *info)
{
	uint8_t flags;

	memcpy(&flags, info, sizeof(flags));
	if (rule->check) {
		rule->more = 1;
		return;
	}
	rule->check = RPF_CHECK_XT | (flags & XT_RPFILTER_INVERT ? RPF_CHECK_REFUSED : RPF_CHECK_ACCEPTED) |
		      (flags & XT_RPFILTER_LOOSE ? RPF_CHECK_LOOSE : 0) |
		      (flags & XT_RPFILTER_VALID_MARK ? RPF_CHECK_MARK : 0) |
		      (flags & XT_RPFILTER_ACCEPT_LOCAL ? RPF_CHECK_ACCEPT_LOCAL : 0);
}

static void parse_mark(struct rpf_parsed_rule *rule, const void *info)
{
	struct rpf_condition condition = { .field = RPF_FIELD_MARK, .length = 4 };
	struct xt_mark_mtinfo1 mark;

	memcpy(&mark, info, sizeof(mark));
	condition.negate = mark.invert;
	memcpy(condition.value, &mark.mark, sizeof(mark.mark));
	memcpy(condition.mask, &mark.mask, sizeof(mark.mask));
	rpf_rule_add_condition(rule, &condition);
}

static void parse_comment(struct rpf_parsed_rule *rule, const void *info, size_t bytes)
{
	if (!rule->comment)
		rule->comment = strndup(info, bytes);
}

void rpf_xt_parse_match(struct rpf_parsed_rule *rule, const char *name, const void *info, size_t bytes)
{
	if (!strcmp(name, "rpfilter") && bytes >= sizeof(struct xt_rpfilter_info))
		parse_rpfilter(rule, info);
	else if (!strcmp(name, "mark") && bytes >= sizeof(struct xt_mark_mtinfo1))
		parse_mark(rule, info);
	else if (!strcmp(name, "comment"))
		parse_comment(rule, info, bytes);
	else
		rule->more = 1;
}

/* Targets that packets go on after; of what is not known we only know that it may drop. */
uint8_t rpf_xt_verdict_of(const char *target)
{
	static const char *const goes_on[] = { "LOG",	  "NFLOG",	"MARK", "CONNMARK", "SET",
					       "TRACE",	  "NOTRACK",	"CT",	"AUDIT",    "TOS",
					       "DSCP",	  "TTL",	"HL",	"TCPMSS",   "CLASSIFY",
					       "SECMARK", "CONNSECMARK" };
	size_t i;

	if (!strcmp(target, "REJECT"))
		return RPF_VERDICT_DROP;
	for (i = 0; i < sizeof(goes_on) / sizeof(*goes_on); i++) {
		if (!strcmp(target, goes_on[i]))
			return RPF_VERDICT_NONE;
	}
	return RPF_VERDICT_OTHER;
}

/* ---- entries ---- */

/* What struct ipt_entry and struct ip6t_entry have in common. */
struct entry {
	size_t head; /* bytes before the matches */
	uint16_t target_offset;
	uint16_t next_offset;
	uint64_t packets;
	bool is_goto;
};

static void add_address(struct rpf_parsed_rule *rule, uint8_t field, bool negate, const void *value,
			const void *mask, size_t bytes)
{
	static const uint8_t any[16];
	struct rpf_condition condition = { .field = field, .negate = negate, .length = bytes };

	if (!memcmp(mask, any, bytes))
		return;
	memcpy(condition.value, value, bytes);
	memcpy(condition.mask, mask, bytes);
	rpf_rule_add_condition(rule, &condition);
}

static void add_devices(struct rpf_parsed_rule *rule, const char *in, const unsigned char *in_mask,
			const unsigned char *out_mask, uint8_t inverse)
{
	add_address(rule, RPF_FIELD_IIFNAME, inverse & IPT_INV_VIA_IN, in, in_mask, IFNAMSIZ);
	if (out_mask[0])
		rule->more = 1;
}

static void add_protocol(struct rpf_parsed_rule *rule, uint16_t protocol, bool negate)
{
	struct rpf_condition condition = { .field = RPF_FIELD_L4PROTO, .negate = negate, .length = 1 };

	if (!protocol)
		return;
	condition.value[0] = protocol;
	condition.mask[0] = 0xff;
	rpf_rule_add_condition(rule, &condition);
}

static void parse_entry4(const unsigned char *at, struct rpf_parsed_rule *rule, struct entry *entry)
{
	struct ipt_entry v4;
	const struct ipt_ip *ip = &v4.ip;

	memcpy(&v4, at, sizeof(v4));
	*entry = (struct entry){ sizeof(v4), v4.target_offset, v4.next_offset, v4.counters.pcnt,
				 ip->flags & IPT_F_GOTO };
	add_address(rule, RPF_FIELD_SRC, ip->invflags & IPT_INV_SRCIP, &ip->src, &ip->smsk, 4);
	add_address(rule, RPF_FIELD_DST, ip->invflags & IPT_INV_DSTIP, &ip->dst, &ip->dmsk, 4);
	add_devices(rule, ip->iniface, ip->iniface_mask, ip->outiface_mask, ip->invflags);
	add_protocol(rule, ip->proto, ip->invflags & IPT_INV_PROTO);
	if (ip->flags & IPT_F_FRAG)
		rule->more = 1;
}

static void parse_entry6(const unsigned char *at, struct rpf_parsed_rule *rule, struct entry *entry)
{
	struct ip6t_entry v6;
	const struct ip6t_ip6 *ip = &v6.ipv6;

	memcpy(&v6, at, sizeof(v6));
	*entry = (struct entry){ sizeof(v6), v6.target_offset, v6.next_offset, v6.counters.pcnt,
				 ip->flags & IP6T_F_GOTO };
	add_address(rule, RPF_FIELD_SRC, ip->invflags & IP6T_INV_SRCIP, &ip->src, &ip->smsk, 16);
	add_address(rule, RPF_FIELD_DST, ip->invflags & IP6T_INV_DSTIP, &ip->dst, &ip->dmsk, 16);
	add_devices(rule, ip->iniface, ip->iniface_mask, ip->outiface_mask, ip->invflags);
	add_protocol(rule, ip->proto, ip->invflags & IP6T_INV_PROTO);
	if (ip->flags & IP6T_F_TOS)
		rule->more = 1;
}

/* false: there is no whole entry here. */
static bool parse_head(uint8_t family, const unsigned char *at, size_t left, struct rpf_parsed_rule *rule,
		       struct entry *entry)
{
	bool is_v6 = family == AF_INET6;

	if (left < (is_v6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry)))
		return false;
	(is_v6 ? parse_entry6 : parse_entry4)(at, rule, entry);
	return entry->target_offset >= entry->head && entry->next_offset <= left &&
	       entry->next_offset >= entry->target_offset + sizeof(struct xt_entry_target);
}

static void parse_matches(const unsigned char *at, const struct entry *entry, struct rpf_parsed_rule *rule)
{
	size_t offset = entry->head;
	struct xt_entry_match match;

	while (offset + sizeof(match) <= entry->target_offset) {
		memcpy(&match, at + offset, sizeof(match));
		if (match.u.user.match_size < sizeof(match) ||
		    match.u.user.match_size > entry->target_offset - offset) {
			rule->more = 1;
			return;
		}
		match.u.user.name[sizeof(match.u.user.name) - 1] = 0;
		rpf_xt_parse_match(rule, match.u.user.name, at + offset + sizeof(match),
				   match.u.user.match_size - sizeof(match));
		offset += match.u.user.match_size;
	}
}

static uint8_t standard_verdict(int verdict, const struct entry *entry, size_t next, struct rpf_parsed_rule *rule)
{
	switch (verdict) {
	case -NF_DROP - 1:
		return RPF_VERDICT_DROP;
	case -NF_ACCEPT - 1:
		return RPF_VERDICT_ACCEPT;
	case XT_RETURN:
		return RPF_VERDICT_RETURN;
	}
	if (verdict < 0)
		return RPF_VERDICT_OTHER;
	if ((size_t)verdict == next)
		return RPF_VERDICT_NONE; /* a rule without a target */
	rule->target_offset = verdict;
	return entry->is_goto ? RPF_VERDICT_GOTO : RPF_VERDICT_JUMP;
}

/* The name of the chain that starts behind this entry, or NULL: user chains are headed by a target called ERROR. */
static const char *parse_target(const unsigned char *at, const struct entry *entry, size_t next,
				struct rpf_parsed_rule *rule, struct xt_error_target *error)
{
	size_t bytes = entry->next_offset - entry->target_offset;
	struct xt_entry_target target;
	int verdict;

	memcpy(&target, at + entry->target_offset, sizeof(target));
	target.u.user.name[sizeof(target.u.user.name) - 1] = 0;
	if (!strcmp(target.u.user.name, XT_ERROR_TARGET) && bytes >= sizeof(*error)) {
		memcpy(error, at + entry->target_offset, sizeof(*error));
		error->errorname[sizeof(error->errorname) - 1] = 0;
		return error->errorname;
	}
	if (*target.u.user.name) {
		rule->verdict = rpf_xt_verdict_of(target.u.user.name);
		return NULL;
	}
	if (bytes < sizeof(target) + sizeof(verdict)) {
		rule->verdict = RPF_VERDICT_OTHER;
		return NULL;
	}
	memcpy(&verdict, at + entry->target_offset + sizeof(target), sizeof(verdict));
	rule->verdict = standard_verdict(verdict, entry, next, rule);
	return NULL;
}

static const struct {
	const char *name;
	uint8_t hook;
} builtin[RPF_XT_HOOKS] = {
	[NF_INET_PRE_ROUTING] = { "PREROUTING", RPF_HOOK_PREROUTING },
	[NF_INET_LOCAL_IN] = { "INPUT", RPF_HOOK_INPUT },
	[NF_INET_FORWARD] = { "FORWARD", RPF_HOOK_FORWARD },
	[NF_INET_LOCAL_OUT] = { "OUTPUT", 0 },
	[NF_INET_POST_ROUTING] = { "POSTROUTING", 0 },
};

static struct rpf_chain *start_chain(struct rpf_chains *chains, const struct rpf_xt_table *table,
				     const char *name, size_t offset)
{
	struct rpf_chain *chain = rpf_chains_add(chains, table->name, name);

	if (!chain)
		return NULL;
	chain->kind = RPF_RULE_LEGACY;
	chain->family = chains->family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	chain->offset = offset;
	chain->is_loaded = 1;
	return chain;
}

/* Index of the hook whose chain starts here, or -1. */
static int hook_at(const struct rpf_xt_table *table, const uint32_t *offsets, size_t offset)
{
	int hook;

	for (hook = 0; hook < RPF_XT_HOOKS; hook++) {
		if (table->valid_hooks & 1u << hook && offsets[hook] == offset)
			return hook;
	}
	return -1;
}

/* A policy is the rule at the end of a built-in chain. */
static void take_policy(struct rpf_chain *chain, const struct rpf_parsed_rule *rule)
{
	chain->drops_rest = rule->verdict == RPF_VERDICT_DROP;
	chain->policy_packets = rule->packets;
}

int rpf_xt_parse(struct rpf_chains *chains, const struct rpf_xt_table *table, const unsigned char *entries,
		 size_t bytes)
{
	struct rpf_chain *chain = NULL;
	size_t offset = 0;

	while (offset < bytes) {
		struct rpf_parsed_rule rule = { 0 }, *kept;
		struct xt_error_target error;
		struct entry entry;
		const char *name;
		int hook = hook_at(table, table->hook_entry, offset);

		if (rpf_chains_late(chains))
			return 0;
		if (hook >= 0) {
			chain = start_chain(chains, table, builtin[hook].name, offset);
			if (!chain)
				return -ENOMEM;
			chain->hook = builtin[hook].hook;
			chain->priority = table->priority;
		}
		if (!parse_head(chains->family, entries + offset, bytes - offset, &rule, &entry))
			return -EPROTO;
		name = parse_target(entries + offset, &entry, offset + entry.next_offset, &rule, &error);
		rule.has_packets = 1;
		rule.packets = entry.packets;
		if (name) {
			chain = start_chain(chains, table, name, offset + entry.next_offset);
			if (!chain)
				return -ENOMEM;
		} else if (hook_at(table, table->underflow, offset) >= 0) {
			if (chain)
				take_policy(chain, &rule);
			chain = NULL;
		} else if (chain) {
			kept = rpf_chain_add_rule(chain);
			if (!kept)
				return -ENOMEM;
			rule.number = kept->number;
			*kept = rule;
			parse_matches(entries + offset, &entry, kept);
		}
		offset += entry.next_offset;
	}
	return 0;
}

/* ---- the kernel ---- */

static const struct {
	const char *name;
	int32_t priority;
} tables[] = {
	{ "raw", -300 }, /* NF_IP_PRI_*, include/uapi/linux/netfilter_ipv4.h; the same for IPv6 */
	{ "mangle", -150 },
	{ "filter", 0 },
	{ "security", 50 },
};

static int get_entries(int fd, int level, const struct ipt_getinfo *info, struct ipt_get_entries **entries)
{
	socklen_t bytes = sizeof(**entries) + info->size;

	if (info->size > MAX_TABLE_BYTES)
		return -E2BIG;
	*entries = calloc(1, bytes);
	if (!*entries)
		return -ENOMEM;
	memcpy((*entries)->name, info->name, sizeof(info->name));
	(*entries)->size = info->size;
	if (!getsockopt(fd, level, IPT_SO_GET_ENTRIES, *entries, &bytes))
		return 0;
	free(*entries);
	*entries = NULL;
	return -errno;
}

static int read_table(struct rpf_chains *chains, int fd, size_t index)
{
	struct rpf_xt_table table = { .name = tables[index].name, .priority = tables[index].priority };
	int level = chains->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, err = -EAGAIN, tries;
	struct ipt_get_entries *entries = NULL;
	struct ipt_getinfo info = { 0 };

	/* EAGAIN: the table has got another size in between. */
	for (tries = 0; err == -EAGAIN && tries < TRIES; tries++) {
		socklen_t bytes = sizeof(info);

		snprintf(info.name, sizeof(info.name), "%s", table.name);
		if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &bytes))
			return -errno;
		err = get_entries(fd, level, &info, &entries);
	}
	if (err)
		return err;
	table.valid_hooks = info.valid_hooks;
	memcpy(table.hook_entry, info.hook_entry, sizeof(table.hook_entry));
	memcpy(table.underflow, info.underflow, sizeof(table.underflow));
	err = rpf_xt_parse(chains, &table, (const unsigned char *)entries->entrytable, info.size);
	free(entries);
	return err;
}

/* To ask for a table that is not there would make it. The names end with newlines. */
static bool is_listed(const char *names, const char *name)
{
	size_t length = strlen(name);
	const char *at;

	for (at = names; (at = strstr(at, name)); at += length) {
		if ((at == names || at[-1] == '\n') && at[length] == '\n')
			return true;
	}
	return false;
}

static int read_names(uint8_t family, char *names, size_t bytes)
{
	int fd = open(family == AF_INET6 ? "/proc/thread-self/net/ip6_tables_names"
					 : "/proc/thread-self/net/ip_tables_names",
		      O_RDONLY | O_CLOEXEC);
	ssize_t length;
	int err = 0;

	if (fd < 0)
		return -errno;
	length = read(fd, names, bytes - 1);
	if (length < 0)
		err = -errno;
	else
		names[length] = 0;
	close(fd);
	return err;
}

int rpf_xt_read_chains(struct rpf_chains *chains)
{
	char names[1024];
	int err = read_names(chains->family, names, sizeof(names)), fd;
	size_t i;

	if (err == -ENOENT)
		return 0; /* x_tables are not in the kernel */
	if (err)
		return err;
	fd = socket(chains->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	for (i = 0; !err && i < sizeof(tables) / sizeof(*tables); i++) {
		if (is_listed(names, tables[i].name))
			err = read_table(chains, fd, i);
	}
	close(fd);
	return err;
}
