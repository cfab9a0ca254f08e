/* SPDX-License-Identifier: Apache-2.0 */
/* Reads chains and rules of nf_tables: what their expressions say of a packet, as far as it is understood. */
#include <arpa/inet.h>
#include <bpf/btf.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpf_ruleset_internal.h"

#define DUMP_BYTES 65536
#define DUMP_TRIES 3
#define REGISTERS 16 /* of 4 bytes: NFT_REG32_COUNT */

/* What a register holds. */
struct holding {
	uint8_t field; /* enum rpf_field; 0 = something that is not understood */
	uint8_t check; /* enum rpf_check, of a fib expression, without its outcome */
	uint8_t length;
	uint8_t mask[RPF_CONDITION_BYTES];
};

struct parse {
	struct rpf_parsed_rule *rule;
	uint8_t l3; /* NFPROTO_* of the packet that the rule is about; 0 = not known */
	struct holding registers[REGISTERS];
};

static bool has_nf_tables;

static uint32_t u32_of(const struct nlattr *attribute)
{
	uint32_t value = 0;

	if (attribute && mnl_attr_get_payload_len(attribute) >= sizeof(value))
		memcpy(&value, mnl_attr_get_payload(attribute), sizeof(value));
	return ntohl(value);
}

static uint64_t u64_of(const struct nlattr *attribute)
{
	uint64_t value = 0;

	if (attribute && mnl_attr_get_payload_len(attribute) >= sizeof(value))
		memcpy(&value, mnl_attr_get_payload(attribute), sizeof(value));
	return be64toh(value);
}

/* NULL where it is not a whole string. */
static const char *text_of(const struct nlattr *attribute)
{
	const char *text = attribute ? mnl_attr_get_payload(attribute) : NULL;

	return text && memchr(text, 0, mnl_attr_get_payload_len(attribute)) ? text : NULL;
}

static bool is_text(const struct nlattr *attribute, const char *wanted)
{
	const char *text = text_of(attribute);

	return text && !strcmp(text, wanted);
}

struct attributes {
	const struct nlattr **at;
	uint16_t max;
};

static int note_attribute(const struct nlattr *attribute, void *data)
{
	struct attributes *attributes = data;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= attributes->max)
		attributes->at[type] = attribute;
	return MNL_CB_OK;
}

/* at has room for max + 1, all NULL. */
static void parse_nested(const struct nlattr *nested, const struct nlattr **at, uint16_t max)
{
	struct attributes attributes = { .at = at, .max = max };

	if (nested)
		mnl_attr_parse_nested(nested, note_attribute, &attributes);
}

/* NFT_REG_1 to 4 are four of the small registers each: nft_parse_register(), net/netfilter/nf_tables_api.c. */
static struct holding *holding_of(struct parse *parse, const struct nlattr *attribute)
{
	uint32_t reg = u32_of(attribute), at;

	if (!attribute || reg == NFT_REG_VERDICT)
		return NULL;
	if (reg >= NFT_REG32_00)
		at = reg - NFT_REG32_00;
	else
		at = (reg - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE);
	return at < REGISTERS ? &parse->registers[at] : NULL;
}

/* Later registers of a long value are not looked at: whoever compares them compares something not understood. */
static void hold(struct parse *parse, const struct nlattr *reg, const struct holding *value)
{
	struct holding *holding = holding_of(parse, reg);

	if (holding)
		*holding = *value;
}

static const struct holding unknown_value;

static void parse_meta(struct parse *parse, const struct nlattr *const *at)
{
	static const struct holding fields[] = {
		[NFT_META_PROTOCOL] = { .field = RPF_FIELD_ETHERTYPE, .length = 2 },
		[NFT_META_MARK] = { .field = RPF_FIELD_MARK, .length = 4 },
		[NFT_META_IIF] = { .field = RPF_FIELD_IIF, .length = 4 },
		[NFT_META_IIFNAME] = { .field = RPF_FIELD_IIFNAME, .length = 16 },
		[NFT_META_NFPROTO] = { .field = RPF_FIELD_NFPROTO, .length = 1 },
		[NFT_META_L4PROTO] = { .field = RPF_FIELD_L4PROTO, .length = 1 },
	};
	uint32_t key = u32_of(at[NFTA_META_KEY]);
	struct holding value = { 0 };

	if (!at[NFTA_META_DREG])
		return; /* sets something */
	if (key < sizeof(fields) / sizeof(*fields))
		value = fields[key];
	memset(value.mask, 0xff, sizeof(value.mask));
	hold(parse, at[NFTA_META_DREG], &value);
}

static void parse_payload(struct parse *parse, const struct nlattr *const *at)
{
	uint32_t offset = u32_of(at[NFTA_PAYLOAD_OFFSET]), length = u32_of(at[NFTA_PAYLOAD_LEN]);
	bool is_network = u32_of(at[NFTA_PAYLOAD_BASE]) == NFT_PAYLOAD_NETWORK_HEADER;
	struct holding value = { .length = length <= 16 ? length : 0 };

	if (!at[NFTA_PAYLOAD_DREG])
		return; /* writes into the packet */
	if (is_network && parse->l3 == NFPROTO_IPV4 && length <= 4)
		value.field = offset == 12		   ? RPF_FIELD_SRC
			      : offset == 16		   ? RPF_FIELD_DST
			      : offset == 9 && length == 1 ? RPF_FIELD_L4PROTO
							   : 0;
	if (is_network && parse->l3 == NFPROTO_IPV6 && length <= 16)
		value.field = offset == 8 ? RPF_FIELD_SRC : offset == 24 ? RPF_FIELD_DST : 0;
	memset(value.mask, 0xff, sizeof(value.mask));
	hold(parse, at[NFTA_PAYLOAD_DREG], &value);
}

static const struct nlattr *data_value(const struct nlattr *nested)
{
	const struct nlattr *at[NFTA_DATA_MAX + 1] = { 0 };

	parse_nested(nested, at, NFTA_DATA_MAX);
	return at[NFTA_DATA_VALUE];
}

static bool is_zero(const struct nlattr *value)
{
	const unsigned char *bytes = value ? mnl_attr_get_payload(value) : NULL;
	size_t i, length = value ? mnl_attr_get_payload_len(value) : 0;

	for (i = 0; i < length; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static void parse_bitwise(struct parse *parse, const struct nlattr *const *at)
{
	const struct nlattr *mask = data_value(at[NFTA_BITWISE_MASK]);
	const struct holding *from = holding_of(parse, at[NFTA_BITWISE_SREG]);
	struct holding value = from ? *from : unknown_value;
	const uint8_t *bytes = mask ? mnl_attr_get_payload(mask) : NULL;
	size_t i, length = mask ? mnl_attr_get_payload_len(mask) : 0;

	if (!mask || value.check || u32_of(at[NFTA_BITWISE_OP]) != NFT_BITWISE_BOOL ||
	    length > sizeof(value.mask) || !is_zero(data_value(at[NFTA_BITWISE_XOR])))
		value = unknown_value;
	for (i = 0; i < length && value.field; i++)
		value.mask[i] &= bytes[i];
	hold(parse, at[NFTA_BITWISE_DREG], &value);
}

/* What leaves by which device is the check; what type an address is of is another one. */
static void parse_fib(struct parse *parse, const struct nlattr *const *at)
{
	uint32_t flags = u32_of(at[NFTA_FIB_FLAGS]);
	struct holding value = { .length = flags & NFTA_FIB_F_PRESENT ? 1 : 4 };

	if (u32_of(at[NFTA_FIB_RESULT]) == NFT_FIB_RESULT_OIF && flags & NFTA_FIB_F_SADDR &&
	    !(flags & (NFTA_FIB_F_DADDR | NFTA_FIB_F_OIF)))
		value.check = RPF_CHECK_REFUSED | RPF_CHECK_ACCEPTED |
			      (flags & NFTA_FIB_F_IIF ? 0 : RPF_CHECK_LOOSE) |
			      (flags & NFTA_FIB_F_MARK ? RPF_CHECK_MARK : 0);
	hold(parse, at[NFTA_FIB_DREG], &value);
}

/* A counter after all conditions counts what the rule matched; before one it does not. */
static void add_condition(struct parse *parse, const struct rpf_condition *condition)
{
	parse->rule->has_packets = 0;
	if (condition)
		rpf_rule_add_condition(parse->rule, condition);
	else
		parse->rule->more = 1;
}

/* "missing" is 0. "exists" is not 0; where only presence is asked for it is 1, else the number of one device is 1. */
static void compare_check(struct parse *parse, const struct holding *held, bool is_equal,
			  const struct nlattr *value)
{
	bool asks_presence = held->length == 1;
	uint8_t outcome;

	if (parse->rule->check || (!is_zero(value) && !asks_presence))
		return add_condition(parse, NULL);
	outcome = is_equal == is_zero(value) ? RPF_CHECK_REFUSED : RPF_CHECK_ACCEPTED;
	parse->rule->check = (held->check & ~(RPF_CHECK_REFUSED | RPF_CHECK_ACCEPTED)) | outcome;
	parse->rule->has_packets = 0;
}

static void learn_l3(struct parse *parse, const struct rpf_condition *condition)
{
	uint16_t ethertype;

	if (condition->negate)
		return;
	if (condition->field == RPF_FIELD_NFPROTO)
		parse->l3 = condition->value[0];
	if (condition->field != RPF_FIELD_ETHERTYPE)
		return;
	memcpy(&ethertype, condition->value, sizeof(ethertype));
	parse->l3 = ethertype == htons(0x0800) ? NFPROTO_IPV4 : ethertype == htons(0x86dd) ? NFPROTO_IPV6 : 0;
}

static void parse_cmp(struct parse *parse, const struct nlattr *const *at)
{
	const struct holding *held = holding_of(parse, at[NFTA_CMP_SREG]);
	const struct nlattr *value = data_value(at[NFTA_CMP_DATA]);
	uint32_t op = u32_of(at[NFTA_CMP_OP]);
	struct rpf_condition condition = { 0 };
	size_t length = value ? mnl_attr_get_payload_len(value) : 0;

	if (!held || !length || (op != NFT_CMP_EQ && op != NFT_CMP_NEQ))
		return add_condition(parse, NULL);
	if (held->check)
		return compare_check(parse, held, op == NFT_CMP_EQ, value);
	if (!held->field || length > held->length || length > sizeof(condition.value))
		return add_condition(parse, NULL);
	condition.field = held->field;
	condition.negate = op == NFT_CMP_NEQ;
	condition.length = length;
	memcpy(condition.value, mnl_attr_get_payload(value), length);
	memcpy(condition.mask, held->mask, sizeof(condition.mask));
	add_condition(parse, &condition);
	learn_l3(parse, &condition);
}

static uint8_t verdict_of(int32_t code)
{
	switch (code) {
	case NFT_CONTINUE:
	case NFT_BREAK:
		return RPF_VERDICT_NONE;
	case NFT_JUMP:
		return RPF_VERDICT_JUMP;
	case NFT_GOTO:
		return RPF_VERDICT_GOTO;
	case NFT_RETURN:
		return RPF_VERDICT_RETURN;
	case NF_DROP:
		return RPF_VERDICT_DROP;
	case NF_ACCEPT:
		return RPF_VERDICT_ACCEPT;
	}
	return RPF_VERDICT_OTHER;
}

static void parse_immediate(struct parse *parse, const struct nlattr *const *at)
{
	const struct nlattr *data[NFTA_DATA_MAX + 1] = { 0 }, *verdict[NFTA_VERDICT_MAX + 1] = { 0 };
	const char *target;

	parse_nested(at[NFTA_IMMEDIATE_DATA], data, NFTA_DATA_MAX);
	if (!data[NFTA_DATA_VERDICT])
		return hold(parse, at[NFTA_IMMEDIATE_DREG], &unknown_value);
	parse_nested(data[NFTA_DATA_VERDICT], verdict, NFTA_VERDICT_MAX);
	parse->rule->verdict = verdict_of((int32_t)u32_of(verdict[NFTA_VERDICT_CODE]));
	target = text_of(verdict[NFTA_VERDICT_CHAIN]);
	if (target && !parse->rule->target)
		parse->rule->target = strdup(target);
}

static void parse_counter(struct parse *parse, const struct nlattr *const *at)
{
	parse->rule->has_packets = 1;
	parse->rule->packets = u64_of(at[NFTA_COUNTER_PACKETS]);
}

static void parse_match(struct parse *parse, const struct nlattr *const *at)
{
	const char *name = text_of(at[NFTA_MATCH_NAME]);
	const struct nlattr *info = at[NFTA_MATCH_INFO];

	parse->rule->is_iptables = 1;
	parse->rule->has_packets = 0;
	if (!name || !info)
		return add_condition(parse, NULL);
	rpf_xt_parse_match(parse->rule, name, mnl_attr_get_payload(info), mnl_attr_get_payload_len(info));
}

static void parse_target(struct parse *parse, const struct nlattr *const *at)
{
	const char *name = text_of(at[NFTA_TARGET_NAME]);

	parse->rule->is_iptables = 1;
	parse->rule->verdict = name ? rpf_xt_verdict_of(name) : RPF_VERDICT_OTHER;
}

/* A set; with a destination register a map: of verdicts, where that is the verdict's. */
static void parse_lookup(struct parse *parse, const struct nlattr *const *at)
{
	if (at[NFTA_LOOKUP_DREG] && u32_of(at[NFTA_LOOKUP_DREG]) == NFT_REG_VERDICT)
		parse->rule->verdict = RPF_VERDICT_OTHER;
	if (at[NFTA_LOOKUP_DREG])
		hold(parse, at[NFTA_LOOKUP_DREG], &unknown_value);
	add_condition(parse, NULL);
}

static void parse_reject(struct parse *parse, const struct nlattr *const *at)
{
	(void)at;
	parse->rule->verdict = RPF_VERDICT_DROP;
}

static void parse_other_verdict(struct parse *parse, const struct nlattr *const *at)
{
	(void)at;
	parse->rule->verdict = RPF_VERDICT_OTHER;
}

static void parse_nothing(struct parse *parse, const struct nlattr *const *at)
{
	(void)parse;
	(void)at;
}

#define MOST_ATTRIBUTES 8 /* the greatest number that is read is NFTA_PAYLOAD_CSUM_FLAGS */

static const struct expression {
	const char *name;
	void (*parse)(struct parse *parse, const struct nlattr *const *at);
} expressions[] = {
	{ "meta", parse_meta },		{ "payload", parse_payload },
	{ "bitwise", parse_bitwise },	{ "fib", parse_fib },
	{ "cmp", parse_cmp },		{ "immediate", parse_immediate },
	{ "counter", parse_counter },	{ "match", parse_match },
	{ "target", parse_target },	{ "lookup", parse_lookup },
	{ "reject", parse_reject },	{ "queue", parse_other_verdict },
	{ "fwd", parse_other_verdict }, { "synproxy", parse_other_verdict },
	{ "log", parse_nothing },	{ "notrack", parse_nothing },
	{ "last", parse_nothing },	{ "dup", parse_nothing },
};

/* What is not understood may be a condition: ct, limit, range, hash, ... */
static int parse_expression(const struct nlattr *element, void *data)
{
	const struct nlattr *expression[NFTA_EXPR_MAX + 1] = { 0 }, *at[MOST_ATTRIBUTES + 1] = { 0 };
	struct parse *parse = data;
	size_t i;

	parse_nested(element, expression, NFTA_EXPR_MAX);
	parse_nested(expression[NFTA_EXPR_DATA], at, MOST_ATTRIBUTES);
	for (i = 0; i < sizeof(expressions) / sizeof(*expressions); i++) {
		if (!is_text(expression[NFTA_EXPR_NAME], expressions[i].name))
			continue;
		expressions[i].parse(parse, at);
		return MNL_CB_OK;
	}
	add_condition(parse, NULL);
	memset(parse->registers, 0, sizeof(parse->registers));
	return MNL_CB_OK;
}

/* User data is the program's own: nft(8) keeps a comment in it, as type, length and text. */
static char *comment_of(const struct nlattr *userdata)
{
	const unsigned char *bytes = userdata ? mnl_attr_get_payload(userdata) : NULL;
	size_t left = userdata ? mnl_attr_get_payload_len(userdata) : 0;

	while (left >= 2 && bytes[1] <= left - 2) {
		if (!bytes[0] && bytes[1] && !bytes[1 + bytes[1]])
			return strdup((const char *)bytes + 2);
		left -= 2 + bytes[1];
		bytes += 2 + bytes[1];
	}
	return NULL;
}

int rpf_nft_parse_rule(struct rpf_chain *chain, const struct nlmsghdr *message)
{
	const struct nlattr *at[NFTA_RULE_USERDATA + 1] = { 0 };
	struct attributes attributes = { .at = at, .max = NFTA_RULE_USERDATA };
	struct parse parse = { .l3 = chain->family };

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return -EPROTO;
	mnl_attr_parse(message, sizeof(struct nfgenmsg), note_attribute, &attributes);
	parse.rule = rpf_chain_add_rule(chain);
	if (!parse.rule)
		return -ENOMEM;
	if (chain->family != NFPROTO_IPV4 && chain->family != NFPROTO_IPV6)
		parse.l3 = 0;
	parse.rule->handle = u64_of(at[NFTA_RULE_HANDLE]);
	if (at[NFTA_RULE_EXPRESSIONS])
		mnl_attr_parse_nested(at[NFTA_RULE_EXPRESSIONS], parse_expression, &parse);
	if (!parse.rule->comment)
		parse.rule->comment = comment_of(at[NFTA_RULE_USERDATA]);
	return 0;
}

static uint8_t hook_of(uint8_t family, uint32_t hook)
{
	static const uint8_t inet[] = {
		[NF_INET_PRE_ROUTING] = RPF_HOOK_PREROUTING,
		[NF_INET_LOCAL_IN] = RPF_HOOK_INPUT,
		[NF_INET_FORWARD] = RPF_HOOK_FORWARD,
		[NF_INET_LOCAL_OUT] = 0,
		[NF_INET_POST_ROUTING] = 0,
		[5] = RPF_HOOK_INGRESS, /* NF_INET_INGRESS, v5.10 */
	};

	if (family == NFPROTO_NETDEV)
		return hook == NF_NETDEV_INGRESS ? RPF_HOOK_INGRESS : 0;
	return hook < sizeof(inet) ? inet[hook] : 0;
}

/* A netdev chain is for one device, or for several: then the kernel tells them as a list (v5.5). */
static void bind_device(struct rpf_chain *chain, const struct nlattr *const *hook)
{
	const char *device = text_of(hook[NFTA_HOOK_DEV]);

	if (!device || strlen(device) >= RPF_CONDITION_BYTES) {
		chain->more = chain->hook == RPF_HOOK_INGRESS;
		return;
	}
	chain->conditions = 1;
	chain->condition.field = RPF_FIELD_IIFNAME;
	chain->condition.length = RPF_CONDITION_BYTES;
	strcpy((char *)chain->condition.value, device);
	memset(chain->condition.mask, 0xff, sizeof(chain->condition.mask));
}

static bool sees_packets_of(uint8_t table_family, uint8_t family)
{
	return table_family == NFPROTO_INET || table_family == NFPROTO_NETDEV ||
	       table_family == (family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

int rpf_nft_parse_chain(struct rpf_chains *chains, const struct nlmsghdr *message)
{
	const struct nlattr *at[NFTA_CHAIN_MAX + 1] = { 0 }, *hook[NFTA_HOOK_MAX + 1] = { 0 };
	struct attributes attributes = { .at = at, .max = NFTA_CHAIN_MAX };
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(message);
	const char *table, *name;
	struct rpf_chain *chain;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head))
		return -EPROTO;
	if (!sees_packets_of(head->nfgen_family, chains->family))
		return 0;
	mnl_attr_parse(message, sizeof(*head), note_attribute, &attributes);
	table = text_of(at[NFTA_CHAIN_TABLE]);
	name = text_of(at[NFTA_CHAIN_NAME]);
	if (!table || !name)
		return -EPROTO;
	chain = rpf_chains_add(chains, table, name);
	if (!chain)
		return -ENOMEM;
	chain->kind = RPF_RULE_NFT;
	chain->family = head->nfgen_family;
	if (!at[NFTA_CHAIN_HOOK])
		return 0;
	parse_nested(at[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);
	chain->hook = hook_of(chain->family, u32_of(hook[NFTA_HOOK_HOOKNUM]));
	if (is_text(at[NFTA_CHAIN_TYPE], "nat"))
		chain->hook = 0;
	chain->priority = (int32_t)u32_of(hook[NFTA_HOOK_PRIORITY]);
	chain->drops_rest = at[NFTA_CHAIN_POLICY] && u32_of(at[NFTA_CHAIN_POLICY]) == NF_DROP;
	bind_device(chain, hook);
	return 0;
}

struct dump {
	struct rpf_chains *chains;
	struct rpf_chain *chain; /* whose rules are told; NULL: the chains are */
	int err;		 /* of a visit */
};

static int visit_message(const struct nlmsghdr *message, void *data)
{
	struct dump *dump = data;

	if (rpf_chains_late(dump->chains))
		return MNL_CB_STOP;
	dump->err = dump->chain ? rpf_nft_parse_rule(dump->chain, message)
				: rpf_nft_parse_chain(dump->chains, message);
	return dump->err ? MNL_CB_STOP : MNL_CB_OK;
}

static void put_request(struct nlmsghdr *message, const struct rpf_chain *chain)
{
	struct nfgenmsg *head;

	message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | (chain ? NFT_MSG_GETRULE : NFT_MSG_GETCHAIN);
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->version = NFNETLINK_V0;
	if (!chain)
		return;
	head->nfgen_family = chain->family;
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, chain->table);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain->name);
}

static int exchange(struct dump *dump, struct mnl_socket *socket, char *buffer)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	ssize_t bytes;
	int more;

	put_request(message, dump->chain);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	do {
		bytes = mnl_socket_recvfrom(socket, buffer, DUMP_BYTES);
		if (bytes < 0)
			return -errno;
		more = mnl_cb_run(buffer, bytes, 1, mnl_socket_get_portid(socket), visit_message, dump);
		if (more < 0)
			return -errno;
	} while (more > 0);
	return dump->err;
}

/* A socket for each dump: one that was left before its end keeps the socket busy. */
static int try_dump(struct dump *dump)
{
	struct timeval limit = { .tv_sec = 1 }; /* the kernel answers at once; never hang on it */
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	char *buffer;
	int err;

	if (!socket)
		return -errno;
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	buffer = malloc(DUMP_BYTES);
	if (!buffer)
		err = -ENOMEM;
	else
		err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : exchange(dump, socket, buffer);
	free(buffer);
	mnl_socket_close(socket);
	return err;
}

/* EINTR: the rules changed while they were told. */
static int run_dump(struct rpf_chains *chains, struct rpf_chain *chain)
{
	struct dump dump = { .chains = chains, .chain = chain };
	size_t before = chains->count;
	int err, tries;

	for (tries = 0;; tries++) {
		err = try_dump(&dump);
		if (err != -EINTR || tries == DUMP_TRIES)
			return err == -ENOENT ? 0 : err; /* the chain is gone */
		if (chain)
			rpf_chain_forget_rules(chain);
		else
			rpf_chains_forget(chains, before);
	}
}

/*
 * Asking the kernel for nf_tables would load the module, and our promise is to change nothing. Built in, it has no folder
 * under /sys/module, but is in the BTF of the kernel itself.
 */
static void look_for_nf_tables(void)
{
	struct btf *btf;

	btf = btf__load_vmlinux_btf();
	has_nf_tables = btf && btf__find_by_name_kind(btf, "nft_do_chain", BTF_KIND_FUNC) > 0;
	btf__free(btf);
}

int rpf_nft_read_chains(struct rpf_chains *chains)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* A module may be loaded at any time. */
	if (!access("/sys/module/nf_tables", F_OK))
		return run_dump(chains, NULL);
	pthread_once(&once, look_for_nf_tables);
	return has_nf_tables ? run_dump(chains, NULL) : 0;
}

int rpf_nft_read_rules(struct rpf_chains *chains, struct rpf_chain *chain)
{
	return run_dump(chains, chain);
}
