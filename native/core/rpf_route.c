/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the kernel for a route, in the network namespace where the question arose. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "rpf_internal.h"

#define REPLY_BYTES 8192

struct lookup {
	const struct rpf_route_query *query;
	struct rpf_route *route;
};

static size_t address_bytes(uint8_t family)
{
	return family == AF_INET6 ? 16 : 4;
}

static void put_query(struct nlmsghdr *message, const struct rpf_route_query *query)
{
	size_t bytes = address_bytes(query->family);
	struct rtmsg *head;

	message->nlmsg_type = RTM_GETROUTE;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = 1;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->rtm_family = query->family;
	head->rtm_dst_len = bytes * 8;
	/* The route as configured, with its prefix (v4.13), and the table that it really lies in. */
	head->rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
	mnl_attr_put(message, RTA_DST, bytes, query->dst);
	if (query->with_src) {
		head->rtm_src_len = bytes * 8;
		mnl_attr_put(message, RTA_SRC, bytes, query->src);
	}
	if (query->iif)
		mnl_attr_put_u32(message, RTA_IIF, query->iif);
	if (query->oif)
		mnl_attr_put_u32(message, RTA_OIF, query->oif);
	if (query->mark)
		mnl_attr_put_u32(message, RTA_MARK, query->mark);
}

static void add_hop(struct rpf_route *route, uint32_t ifindex)
{
	if (route->hops < RPF_ROUTE_HOPS)
		route->hop_ifindex[route->hops] = ifindex;
	route->hops++;
}

static void read_multipath(const struct nlattr *attribute, struct rpf_route *route)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(attribute);
	int left = mnl_attr_get_payload_len(attribute);

	while (left >= (int)sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		add_hop(route, hop->rtnh_ifindex);
		left -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
}

static void copy_address(uint8_t *to, const struct nlattr *attribute)
{
	size_t bytes = mnl_attr_get_payload_len(attribute);

	memcpy(to, mnl_attr_get_payload(attribute), bytes > RPF_ADDRESS_BYTES ? RPF_ADDRESS_BYTES : bytes);
}

static int visit_attribute(const struct nlattr *attribute, void *data)
{
	struct rpf_route *route = data;
	const struct rtvia *via;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST:
		copy_address(route->prefix, attribute);
		break;
	case RTA_OIF:
		rpf_attr_copy_word(&route->ifindex, attribute);
		break;
	case RTA_TABLE:
		rpf_attr_copy_word(&route->table, attribute);
		break;
	case RTA_PRIORITY:
		rpf_attr_copy_word(&route->priority, attribute);
		break;
	case RTA_NH_ID:
		rpf_attr_copy_word(&route->nexthop_id, attribute);
		break;
	case RTA_GATEWAY:
		route->gateway_family = mnl_attr_get_payload_len(attribute) == 16 ? AF_INET6 : AF_INET;
		copy_address(route->gateway, attribute);
		break;
	case RTA_VIA:
		via = mnl_attr_get_payload(attribute);
		if (mnl_attr_get_payload_len(attribute) < sizeof(*via) + 4)
			break;
		route->gateway_family = via->rtvia_family;
		memcpy(route->gateway, via->rtvia_addr,
		       address_bytes(via->rtvia_family) == 16 &&
				       mnl_attr_get_payload_len(attribute) >= sizeof(*via) + 16
			       ? 16
			       : 4);
		break;
	case RTA_MULTIPATH:
		read_multipath(attribute, route);
		break;
	}
	return MNL_CB_OK;
}

bool rpf_route_read(const struct nlmsghdr *message, struct rpf_route *route)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head))
		return false;
	route->type = head->rtm_type;
	route->scope = head->rtm_scope;
	route->table = head->rtm_table;
	route->prefix_length = head->rtm_dst_len;
	mnl_attr_parse(message, sizeof(*head), visit_attribute, route);
	if (!route->hops && route->ifindex)
		add_hop(route, route->ifindex);
	if (!route->ifindex && route->hops)
		route->ifindex = route->hop_ifindex[0];
	return true;
}

/* In the network namespace that the thread is in. */
static void name_device(struct rpf_route *route)
{
	char name[IF_NAMESIZE];

	if (route->ifindex && if_indextoname(route->ifindex, name))
		memcpy(route->device, name, sizeof(route->device));
}

static int ask(struct mnl_socket *socket, void *context)
{
	const struct lookup *lookup = context;
	char buffer[REPLY_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	const struct nlmsgerr *failure;
	ssize_t bytes;

	put_query(message, lookup->query);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	bytes = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (bytes < 0)
		return -errno;
	if (!mnl_nlmsg_ok(message, bytes))
		return -EPROTO;
	if (message->nlmsg_type == NLMSG_ERROR) {
		failure = mnl_nlmsg_get_payload(message);
		if (mnl_nlmsg_get_payload_len(message) < sizeof(*failure))
			return -EPROTO;
		lookup->route->lookup_err = failure->error; /* an answer too: there is no such route */
		return 0;
	}
	if (message->nlmsg_type != RTM_NEWROUTE || !rpf_route_read(message, lookup->route))
		return -EPROTO;
	name_device(lookup->route);
	return 0;
}

static int look_up(void *context)
{
	return rpf_with_rtnetlink(ask, context);
}

int rpf_route_lookup(uint32_t netns, const struct rpf_route_query *query, struct rpf_route *route)
{
	struct lookup lookup = { .query = query, .route = route };

	memset(route, 0, sizeof(*route));
	return rpf_in_netns(netns, look_up, &lookup);
}

struct rules {
	uint8_t family;
	uint32_t *seen;
	uint32_t count;
};

static const uint32_t selector_of[] = {
	[FRA_SRC] = RPF_RULES_SOURCE,	     [FRA_IIFNAME] = RPF_RULES_DEVICE,
	[FRA_FWMASK] = RPF_RULES_MARK,	     [FRA_L3MDEV] = RPF_RULES_VRF,
	[FRA_TUN_ID] = RPF_RULES_OTHER,	     [FRA_UID_RANGE] = RPF_RULES_OTHER,
	[FRA_IP_PROTO] = RPF_RULES_OTHER,    [FRA_SPORT_RANGE] = RPF_RULES_OTHER,
	[FRA_DPORT_RANGE] = RPF_RULES_OTHER,
};

static int visit_selector(const struct nlattr *attribute, void *data)
{
	uint32_t type = mnl_attr_get_type(attribute), *seen = data;

	if (type < sizeof(selector_of) / sizeof(*selector_of))
		*seen |= selector_of[type];
	return MNL_CB_OK;
}

static uint32_t action_of(const struct fib_rule_hdr *head)
{
	switch (head->action) {
	case FR_ACT_BLACKHOLE:
		return RPF_RULES_BLACKHOLE;
	case FR_ACT_UNREACHABLE:
		return RPF_RULES_UNREACHABLE;
	case FR_ACT_PROHIBIT:
		return RPF_RULES_PROHIBIT;
	}
	return 0;
}

uint32_t rpf_rule_selectors(const struct nlmsghdr *message)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	uint32_t seen = action_of(head) | (head->tos ? RPF_RULES_OTHER : 0);

	mnl_attr_parse(message, sizeof(*head), visit_selector, &seen);
	return seen;
}

/*
 * Default rules: fib_default_rules_init(), net/ipv4/fib_rules.c: local, main and default, without any selector.
 * fib6_rules_net_init(), net/ipv6/fib6_rules.c: local and main.
 */
static int visit_rule(const struct nlmsghdr *message, void *data)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);
	struct rules *rules = data;
	uint32_t seen;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head))
		return MNL_CB_OK;
	seen = rpf_rule_selectors(message);
	rules->count++;
	*rules->seen |= seen;
	if (seen || head->dst_len || head->action != FR_ACT_TO_TBL || head->table < RT_TABLE_DEFAULT)
		*rules->seen |= RPF_RULES_CUSTOM;
	return MNL_CB_OK;
}

static int read_rules(void *context)
{
	struct rules *rules = context;
	struct fib_rule_hdr head = { .family = rules->family };
	int err = rpf_rtnetlink_dump(RTM_GETRULE, &head, sizeof(head), visit_rule, rules);

	if (!err && rules->count != (rules->family == AF_INET6 ? 2 : 3))
		*rules->seen |= RPF_RULES_CUSTOM;
	return err;
}

int rpf_route_rules(uint32_t netns, uint8_t family, uint32_t *rules)
{
	struct rules reading = { .family = family, .seen = rules };

	*rules = 0;
	return rpf_in_netns(netns, read_rules, &reading);
}
