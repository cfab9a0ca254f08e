/* SPDX-License-Identifier: Apache-2.0 */
/* What an rtnetlink message says about that which IPv4 routes depend on, and about settings. */
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netconf.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "rpf_internal.h"

static uint32_t action_of(const struct nlmsghdr *message, uint16_t deletion)
{
	if (message->nlmsg_type == deletion)
		return RPF_ACTION_DELETED;
	return message->nlmsg_flags & NLM_F_REPLACE ? RPF_ACTION_REPLACED : RPF_ACTION_ADDED;
}

static bool read_route(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct rpf_route route = { 0 };

	if (!rpf_route_read(message, &route) || head->rtm_family != AF_INET || head->rtm_flags & RTM_F_CLONED)
		return false;
	_Static_assert(RPF_CHANGE_HOPS == RPF_ROUTE_HOPS, "both hold the same next hops");
	change->what = RPF_CHANGED_ROUTE;
	change->action = action_of(message, RTM_DELROUTE);
	change->table = route.table;
	change->priority = route.priority;
	change->ifindex = route.ifindex;
	change->nexthop_id = route.nexthop_id;
	change->hops = route.hops;
	memcpy(change->hop_ifindex, route.hop_ifindex, sizeof(change->hop_ifindex));
	memcpy(change->prefix, route.prefix, sizeof(change->prefix));
	if (route.gateway_family == AF_INET)
		memcpy(change->gateway, route.gateway, sizeof(change->gateway));
	change->prefix_bits = route.prefix_length;
	change->type = route.type;
	change->protocol = head->rtm_protocol;
	return true;
}

static int visit_rule(const struct nlattr *attribute, void *data)
{
	struct rpf_route_change *change = data;

	switch (mnl_attr_get_type(attribute)) {
	case FRA_DST:
		rpf_attr_copy_word(change->prefix, attribute);
		break;
	case FRA_SRC:
		rpf_attr_copy_word(change->source, attribute);
		break;
	case FRA_IIFNAME:
		rpf_attr_copy_name(change->device, attribute);
		break;
	case FRA_PRIORITY:
		rpf_attr_copy_word(&change->priority, attribute);
		break;
	case FRA_FWMARK:
		rpf_attr_copy_word(&change->mark, attribute);
		break;
	case FRA_FWMASK:
		rpf_attr_copy_word(&change->mark_mask, attribute);
		break;
	case FRA_TABLE:
		rpf_attr_copy_word(&change->table, attribute);
		break;
	}
	return MNL_CB_OK;
}

static bool read_rule(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) || head->family != AF_INET)
		return false;
	change->what = RPF_CHANGED_RULE;
	change->action = action_of(message, RTM_DELRULE);
	change->table = head->table;
	change->prefix_bits = head->dst_len;
	change->source_bits = head->src_len;
	change->type = head->action;
	change->selectors = rpf_rule_selectors(message);
	mnl_attr_parse(message, sizeof(*head), visit_rule, change);
	return true;
}

static int visit_address(const struct nlattr *attribute, void *data)
{
	struct rpf_route_change *change = data;

	/* Where both ends of a link have one, IFA_ADDRESS is the other end's. */
	if (mnl_attr_get_type(attribute) == IFA_LOCAL)
		rpf_attr_copy_word(change->prefix, attribute);
	return MNL_CB_OK;
}

static bool read_address(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) || head->ifa_family != AF_INET)
		return false;
	change->what = RPF_CHANGED_ADDRESS;
	change->action = action_of(message, RTM_DELADDR);
	change->ifindex = head->ifa_index;
	change->prefix_bits = head->ifa_prefixlen;
	mnl_attr_parse(message, sizeof(*head), visit_address, change);
	return true;
}

static int visit_nexthop(const struct nlattr *attribute, void *data)
{
	struct rpf_route_change *change = data;

	switch (mnl_attr_get_type(attribute)) {
	case NHA_ID:
		rpf_attr_copy_word(&change->nexthop_id, attribute);
		break;
	case NHA_OIF:
		rpf_attr_copy_word(&change->ifindex, attribute);
		break;
	case NHA_GATEWAY:
		if (mnl_attr_get_payload_len(attribute) == sizeof(change->gateway))
			rpf_attr_copy_word(change->gateway, attribute);
		break;
	}
	return MNL_CB_OK;
}

/* Groups and blackholes have no family; IPv4 routes may lead through IPv6 next hops too. */
static bool read_nexthop(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nhmsg))
		return false;
	change->what = RPF_CHANGED_NEXTHOP;
	change->action = action_of(message, RTM_DELNEXTHOP);
	mnl_attr_parse(message, sizeof(struct nhmsg), visit_nexthop, change);
	return true;
}

static uint32_t link_action(const struct nlmsghdr *message, const struct ifinfomsg *info)
{
	if (message->nlmsg_type == RTM_DELLINK)
		return RPF_ACTION_DELETED;
	if (info->ifi_change == ~0U)
		return RPF_ACTION_ADDED;
	if (!(info->ifi_change & IFF_UP))
		return RPF_ACTION_CHANGED;
	return info->ifi_flags & IFF_UP ? RPF_ACTION_UP : RPF_ACTION_DOWN;
}

static int visit_link(const struct nlattr *attribute, void *data)
{
	struct rpf_route_change *change = data;

	if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
		rpf_attr_copy_name(change->device, attribute);
	return MNL_CB_OK;
}

/* A message of family AF_BRIDGE speaks of a bridge port, not of the device. */
static const struct ifinfomsg *link_of(const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	bool is_link = mnl_nlmsg_get_payload_len(message) >= sizeof(*info) && info->ifi_family == AF_UNSPEC;

	return is_link ? info : NULL;
}

static bool read_link(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	const struct ifinfomsg *info = link_of(message);

	if (!info)
		return false;
	change->what = RPF_CHANGED_LINK;
	change->action = link_action(message, info);
	change->ifindex = info->ifi_index;
	mnl_attr_parse(message, sizeof(*info), visit_link, change);
	return true;
}

static bool read_change(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return read_route(message, change);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return read_rule(message, change);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return read_address(message, change);
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return read_nexthop(message, change);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return read_link(message, change);
	}
	return false;
}

bool rpf_change_read(const struct nlmsghdr *message, struct rpf_route_change *change)
{
	if (!read_change(message, change))
		return false;
	change->port_id = message->nlmsg_pid;
	change->count = 1;
	return true;
}

static void put_value(struct rpf_netconf *netconf, uint32_t value, __s32 *to, const void *from)
{
	memcpy(to, from, sizeof(*to));
	netconf->values |= value;
}

struct netconf_message {
	struct rpf_netconf *netconf;
	int32_t *ifindex;
};

static int visit_netconf(const struct nlattr *attribute, void *data)
{
	const struct netconf_message *message = data;
	struct rpf_netconf *netconf = message->netconf;
	const void *value = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) < sizeof(uint32_t))
		return MNL_CB_OK;
	switch (mnl_attr_get_type(attribute)) {
	case NETCONFA_IFINDEX:
		memcpy(message->ifindex, value, sizeof(*message->ifindex));
		break;
	case NETCONFA_RP_FILTER:
		put_value(netconf, RPF_NETCONF_RP_FILTER, &netconf->rp_filter, value);
		break;
	case NETCONFA_FORWARDING:
		put_value(netconf, RPF_NETCONF_FORWARDING, &netconf->forwarding, value);
		break;
	}
	return MNL_CB_OK;
}

static void read_devconf(const struct nlattr *devconf, struct rpf_netconf *netconf)
{
	const unsigned char *words = devconf ? mnl_attr_get_payload(devconf) : NULL;
	size_t count = devconf ? mnl_attr_get_payload_len(devconf) / sizeof(uint32_t) : 0, i;
	const struct {
		size_t number;
		uint32_t value;
		__s32 *to;
	} wanted[] = {
		{ IPV4_DEVCONF_RP_FILTER, RPF_NETCONF_RP_FILTER, &netconf->rp_filter },
		{ IPV4_DEVCONF_ACCEPT_LOCAL, RPF_NETCONF_ACCEPT_LOCAL, &netconf->accept_local },
		{ IPV4_DEVCONF_SRC_VMARK, RPF_NETCONF_SRC_VALID_MARK, &netconf->src_valid_mark },
		{ IPV4_DEVCONF_ROUTE_LOCALNET, RPF_NETCONF_ROUTE_LOCALNET, &netconf->route_localnet },
		{ IPV4_DEVCONF_FORWARDING, RPF_NETCONF_FORWARDING, &netconf->forwarding },
		{ IPV4_DEVCONF_LOG_MARTIANS, RPF_NETCONF_LOG_MARTIANS, &netconf->log_martians },
	};

	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		if (wanted[i].number <= count)
			put_value(netconf, wanted[i].value, wanted[i].to,
				  words + (wanted[i].number - 1) * sizeof(uint32_t));
	}
}

static int visit_link_settings(const struct nlattr *attribute, void *data)
{
	struct rpf_netconf *netconf = data;

	if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
		rpf_attr_copy_name(netconf->device, attribute);
	else if (mnl_attr_get_type(attribute) == IFLA_AF_SPEC)
		read_devconf(rpf_attr_devconf(attribute), netconf);
	return MNL_CB_OK;
}

bool rpf_netconf_read(const struct nlmsghdr *message, struct rpf_netconf *netconf, int32_t *ifindex)
{
	struct netconf_message settings = { .netconf = netconf, .ifindex = ifindex };
	const struct netconfmsg *head = mnl_nlmsg_get_payload(message);
	const struct ifinfomsg *info;

	if (message->nlmsg_type == RTM_NEWNETCONF) {
		if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) || head->ncm_family != AF_INET)
			return false;
		mnl_attr_parse(message, sizeof(*head), visit_netconf, &settings);
		return netconf->values && *ifindex;
	}
	info = message->nlmsg_type == RTM_NEWLINK ? link_of(message) : NULL;
	if (!info)
		return false;
	*ifindex = info->ifi_index;
	mnl_attr_parse(message, sizeof(*info), visit_link_settings, netconf);
	return netconf->values && *ifindex > 0;
}
