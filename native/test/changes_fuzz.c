/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes for messages about routes and settings: nothing is read outside of them, and what is made of them is well-formed. */
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "check.h"
#include "rpf_internal.h"

static const uint16_t types[] = { RTM_NEWROUTE,	  RTM_DELROUTE,	  RTM_NEWRULE,	  RTM_DELRULE,
				  RTM_NEWADDR,	  RTM_DELADDR,	  RTM_NEWLINK,	  RTM_DELLINK,
				  RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_NEWNETCONF, RTM_GETROUTE };

/*
 * Most of what a fuzzer makes up is of unknown types and skipped. This turns messages into the kinds that we read, and links'
 * attributes into settings; lengths and contents stay as made up.
 */
static void make_settings(struct nlattr *attribute, int left, int depth)
{
	static const uint16_t nested[] = { IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF };

	while (mnl_attr_ok(attribute, left)) {
		if (attribute->nla_type & 1)
			attribute->nla_type = nested[depth];
		if (attribute->nla_type == nested[depth] && depth < 2)
			make_settings(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute),
				      depth + 1);
		left -= MNL_ALIGN(attribute->nla_len);
		attribute = mnl_attr_next(attribute);
	}
}

static void make_known(struct nlmsghdr *message)
{
	unsigned char *family = mnl_nlmsg_get_payload(message);
	int behind = (int)mnl_nlmsg_get_payload_len(message) - (int)sizeof(struct ifinfomsg);

	message->nlmsg_type = types[message->nlmsg_type % (sizeof(types) / sizeof(*types))];
	if (mnl_nlmsg_get_payload_len(message) > 0)
		*family = message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK ? AF_UNSPEC
												   : AF_INET;
	if (message->nlmsg_type == RTM_NEWLINK && behind >= 0)
		make_settings((struct nlattr *)(family + sizeof(struct ifinfomsg)), behind, 0);
}

static void require_well_formed(const struct nlmsghdr *message)
{
	struct rpf_route_change change = { 0 };
	struct rpf_netconf netconf = { 0 };
	int32_t ifindex = 0;

	if (rpf_change_read(message, &change)) {
		REQUIRE(change.what >= RPF_CHANGED_ROUTE && change.what <= RPF_CHANGED_NEXTHOP);
		REQUIRE(change.action >= RPF_ACTION_ADDED && change.action <= RPF_ACTION_CHANGED);
		REQUIRE(change.count == 1 && !change.device[RPF_NAME_BYTES - 1]);
	}
	if (rpf_netconf_read(message, &netconf, &ifindex)) {
		REQUIRE(netconf.values && netconf.values < RPF_NETCONF_LOG_MARTIANS << 1 && ifindex);
		REQUIRE(!netconf.device[RPF_NAME_BYTES - 1]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *message, *first;
	int left;

	if (!size)
		return 0;
	left = size - 1;
	first = message = calloc(1, MNL_ALIGN(size)); /* libmnl reads up to the next multiple of 4 */
	REQUIRE(message);
	memcpy(message, data + 1, left);
	if (data[0] & 1 && left >= (int)sizeof(*message))
		message->nlmsg_len = left; /* one message of the whole */
	while (mnl_nlmsg_ok(message, left) && message->nlmsg_len <= (uint32_t)left) {
		make_known(message);
		require_well_formed(message);
		message = mnl_nlmsg_next(message, &left);
	}
	free(first);
	return 0;
}
