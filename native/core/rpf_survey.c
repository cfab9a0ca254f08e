/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks around in all network namespaces: devices with their IPv4 settings, their other ends, their addresses. Reads only:
 * no packet is sent and nothing is set.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpf_internal.h"

#define DUMP_ATTEMPTS 3
#define MAX_NEIGHBOURS 65536
#define UNKNOWN_NSID (-1) /* NETNSA_NSID_NOT_ASSIGNED */

/* A namespace that was found, held open while we look around. */
struct place {
	struct rpf_survey_netns netns;
	int fd; /* -1: see netns.err */
};

struct survey {
	const struct rpf_surveyor *surveyor;
	void *context;
	struct place *places;
	size_t count;
	size_t room;
	int err;
};

/* The devices of the namespace that is looked into. Those of other ends wait for the number of the namespace. */
struct devices {
	struct device {
		struct rpf_survey_device told;
		int32_t link_nsid;
	} * at;
	size_t count;
	size_t room;
};

struct addresses {
	struct rpf_survey_address *at;
	size_t count;
	size_t room;
};

/* Grows an array so that one more fits. false: no memory. */
static bool make_room(void **array, size_t *room, size_t count, size_t bytes)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *grown;

	if (count < *room)
		return true;
	grown = realloc(*array, wanted * bytes);
	if (!grown)
		return false;
	*array = grown;
	*room = wanted;
	return true;
}

static int hold(void *context, const struct rpf_netns_counter *found)
{
	struct survey *survey = context;
	struct place *place;
	struct stat status;

	if (!make_room((void **)&survey->places, &survey->room, survey->count, sizeof(*survey->places))) {
		survey->err = -ENOMEM;
		return 1;
	}
	place = &survey->places[survey->count++];
	*place = (struct place){ .netns = { .netns = found->netns, .pid = found->pid }, .fd = -1 };
	memcpy(place->netns.path, found->path, sizeof(place->netns.path));
	if (survey->count > RPF_SURVEY_NETNS) {
		place->netns.err = -E2BIG;
		return 0;
	}
	place->fd = open(found->path, O_RDONLY | O_CLOEXEC);
	if (place->fd < 0) {
		place->netns.err = -errno;
		return 0;
	}
	/* A process may have ended and its number been given to another one. */
	if (fstat(place->fd, &status) || status.st_ino != found->netns) {
		close(place->fd);
		place->fd = -1;
		place->netns.err = -ESRCH;
	}
	return 0;
}

static void read_devconf(const struct nlattr *devconf, struct rpf_survey_device *device)
{
	const int32_t *values = devconf ? mnl_attr_get_payload(devconf) : NULL;

	if (!devconf || mnl_attr_get_payload_len(devconf) / sizeof(*values) < IPV4_DEVCONF_ROUTE_LOCALNET)
		return;
	device->has_conf = 1;
	device->conf = (struct rpf_conf){
		.rp_filter = values[IPV4_DEVCONF_RP_FILTER - 1],
		.accept_local = values[IPV4_DEVCONF_ACCEPT_LOCAL - 1],
		.src_valid_mark = values[IPV4_DEVCONF_SRC_VMARK - 1],
		.route_localnet = values[IPV4_DEVCONF_ROUTE_LOCALNET - 1],
		.forwarding = values[IPV4_DEVCONF_FORWARDING - 1],
	};
}

static int visit_link_attribute(const struct nlattr *attribute, void *data)
{
	struct device *device = data;
	struct rpf_survey_device *told = &device->told;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		rpf_attr_copy_name(told->name, attribute);
		break;
	case IFLA_MASTER:
		rpf_attr_copy_word(&told->master_ifindex, attribute);
		break;
	case IFLA_LINK:
		rpf_attr_copy_word(&told->link_ifindex, attribute);
		break;
	case IFLA_LINK_NETNSID:
		rpf_attr_copy_word(&device->link_nsid, attribute);
		break;
	case IFLA_LINKINFO:
		rpf_attr_copy_kind(told->kind, attribute);
		break;
	case IFLA_AF_SPEC:
		read_devconf(rpf_attr_devconf(attribute), told);
		break;
	}
	return MNL_CB_OK;
}

/* A device whose other end lies in the same namespace has no IFLA_LINK_NETNSID. */
#define NO_NSID INT32_MIN

static int visit_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct devices *devices = data;
	struct device *device;

	if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return MNL_CB_OK;
	if (!make_room((void **)&devices->at, &devices->room, devices->count, sizeof(*devices->at))) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	device = &devices->at[devices->count++];
	*device = (struct device){ .link_nsid = NO_NSID };
	device->told.ifindex = info->ifi_index;
	device->told.flags = info->ifi_flags;
	device->told.type = info->ifi_type;
	mnl_attr_parse(message, sizeof(*info), visit_link_attribute, device);
	return MNL_CB_OK;
}

static int visit_nsid(const struct nlattr *attribute, void *data)
{
	if (mnl_attr_get_type(attribute) == NETNSA_NSID)
		rpf_attr_copy_word(data, attribute);
	return MNL_CB_OK;
}

/* By which number the namespace that the thread is in knows another one. */
static int32_t ask_nsid(struct mnl_socket *socket, int fd)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int32_t nsid = UNKNOWN_NSID;
	struct rtgenmsg *head;
	ssize_t bytes;

	message->nlmsg_type = RTM_GETNSID;
	message->nlmsg_flags = NLM_F_REQUEST;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(message, NETNSA_FD, fd);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return UNKNOWN_NSID;
	bytes = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	message = (struct nlmsghdr *)buffer;
	if (bytes < 0 || !mnl_nlmsg_ok(message, bytes) || message->nlmsg_type != RTM_NEWNSID)
		return UNKNOWN_NSID;
	mnl_attr_parse(message, sizeof(*head), visit_nsid, &nsid);
	return nsid;
}

struct matching {
	const struct survey *survey;
	struct devices *devices;
};

static size_t match(struct devices *devices, int32_t nsid, uint32_t netns)
{
	size_t matched = 0, i;

	for (i = 0; i < devices->count; i++) {
		struct device *device = &devices->at[i];

		if (device->link_nsid != nsid || device->told.link_netns)
			continue;
		device->told.link_netns = netns;
		matched++;
	}
	return matched;
}

/* Most other ends lie in the node's own namespace, which is among the first. */
static int match_all(struct mnl_socket *socket, void *context)
{
	const struct matching *matching = context;
	size_t open = 0, i;

	for (i = 0; i < matching->devices->count; i++)
		open += matching->devices->at[i].link_nsid >= 0;
	for (i = 0; open && i < matching->survey->count; i++) {
		const struct place *place = &matching->survey->places[i];
		int32_t nsid = place->fd < 0 ? UNKNOWN_NSID : ask_nsid(socket, place->fd);

		if (nsid >= 0)
			open -= match(matching->devices, nsid, place->netns.netns);
	}
	return 0;
}

static int visit_address_attribute(const struct nlattr *attribute, void *data)
{
	struct rpf_survey_address *address = data;

	/* IFA_LOCAL is our end, IFA_ADDRESS that of a point-to-point link's other side. */
	if (mnl_attr_get_type(attribute) == IFA_LOCAL)
		rpf_attr_copy_word(address->address, attribute);
	return MNL_CB_OK;
}

static int visit_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct addresses *addresses = data;
	struct rpf_survey_address *address;

	if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(*info) ||
	    info->ifa_family != AF_INET)
		return MNL_CB_OK;
	if (!make_room((void **)&addresses->at, &addresses->room, addresses->count, sizeof(*addresses->at))) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	address = &addresses->at[addresses->count++];
	*address = (struct rpf_survey_address){
		.ifindex = info->ifa_index,
		.prefix_length = info->ifa_prefixlen,
		.scope = info->ifa_scope,
	};
	mnl_attr_parse(message, sizeof(*info), visit_address_attribute, address);
	return MNL_CB_OK;
}

/* What changes while it is told makes a dump inconsistent. It is told again then, from the first on: *count starts at 0. */
static int dump(uint16_t type, const void *head, size_t head_bytes, mnl_cb_t visit, void *context, size_t *count)
{
	int attempt, err = -EINTR;

	for (attempt = 0; attempt < DUMP_ATTEMPTS && err == -EINTR; attempt++) {
		*count = 0;
		err = rpf_rtnetlink_dump(type, head, head_bytes, visit, context);
	}
	return err;
}

static int read_value(const char *scope, const char *setting, int32_t *value)
{
	char path[128], text[32];
	int err;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", scope, setting);
	err = rpf_read_line(AT_FDCWD, path, text, sizeof(text));
	if (!err)
		*value = strtol(text, NULL, 10);
	return err;
}

static int read_conf(const char *scope, struct rpf_conf *conf)
{
	const struct {
		const char *setting;
		int32_t *value;
	} wanted[] = {
		{ "rp_filter", &conf->rp_filter },	     { "accept_local", &conf->accept_local },
		{ "src_valid_mark", &conf->src_valid_mark }, { "route_localnet", &conf->route_localnet },
		{ "forwarding", &conf->forwarding },
	};
	size_t i;
	int err;

	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		err = read_value(scope, wanted[i].setting, wanted[i].value);
		if (err)
			return err;
	}
	return 0;
}

static int read_devices(const struct survey *survey, const struct place *place, struct devices *devices)
{
	struct matching matching = { .survey = survey, .devices = devices };
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	int err = dump(RTM_GETLINK, &head, sizeof(head), visit_link, devices, &devices->count);

	if (err)
		return err;
	match(devices, NO_NSID, place->netns.netns);
	return rpf_with_rtnetlink(match_all, &matching);
}

/* Addresses for documentation, which nobody has (RFC 5737). Some networks have routes for these, so others come after. */
static const uint8_t OUTSIDE[][4] = {
	{ 203, 0, 113, 1 }, { 198, 51, 100, 1 }, { 192, 0, 2, 1 }, { 8, 8, 8, 8 }, { 1, 1, 1, 1 },
};

static void find_uplink(struct rpf_survey_netns *netns)
{
	struct rpf_route_query query = { .family = AF_INET };
	struct rpf_route route;
	size_t i;

	for (i = 0; i < sizeof(OUTSIDE) / sizeof(*OUTSIDE); i++) {
		memcpy(query.dst, OUTSIDE[i], sizeof(OUTSIDE[i]));
		if (rpf_route_lookup(0, &query, &route) || route.lookup_err == -ENETUNREACH)
			return;
		if (route.lookup_err || route.type != RTN_UNICAST || route.prefix_length || !route.ifindex)
			continue;
		netns->uplink_ifindex = route.ifindex;
		memcpy(netns->outside, OUTSIDE[i], sizeof(netns->outside));
		return;
	}
}

static void tell_addresses(const struct survey *survey)
{
	struct ifaddrmsg head = { .ifa_family = AF_INET };
	struct addresses addresses = { 0 };
	size_t i;

	dump(RTM_GETADDR, &head, sizeof(head), visit_address, &addresses, &addresses.count);
	for (i = 0; i < addresses.count; i++)
		survey->surveyor->address(survey->context, &addresses.at[i]);
	free(addresses.at);
}

/* In the namespace itself. */
static void look_around(const struct survey *survey, struct place *place)
{
	struct devices devices = { 0 };
	size_t i;

	place->netns.conf_err = read_conf("all", &place->netns.all);
	if (!place->netns.conf_err)
		place->netns.conf_err = read_conf("default", &place->netns.defaults);
	find_uplink(&place->netns);
	place->netns.err = read_devices(survey, place, &devices);
	survey->surveyor->netns(survey->context, &place->netns);
	for (i = 0; i < devices.count; i++)
		survey->surveyor->device(survey->context, &devices.at[i].told);
	free(devices.at);
	if (!place->netns.err)
		tell_addresses(survey);
}

/* Our own namespace may be looked into without the right to enter it. */
static bool is_ours(const struct place *place)
{
	return !strcmp(place->netns.path, RPF_OWN_NETNS);
}

/* In a thread of its own, which ends in whatever namespace it came to last. Our own comes first. */
static void *look_everywhere(void *argument)
{
	struct survey *survey = argument;
	size_t i;

	for (i = 0; i < survey->count; i++) {
		struct place *place = &survey->places[i];

		if (place->fd >= 0 && !is_ours(place) && setns(place->fd, CLONE_NEWNET))
			place->netns.err = -errno;
		if (place->fd < 0 || place->netns.err)
			survey->surveyor->netns(survey->context, &place->netns);
		else
			look_around(survey, place);
	}
	return NULL;
}

int rpf_survey(const struct rpf_surveyor *surveyor, void *context)
{
	struct survey survey = { .surveyor = surveyor, .context = context };
	int err = rpf_find_netns(hold, &survey);
	pthread_t thread;
	size_t i;

	if (err > 0)
		err = survey.err;
	if (!err) {
		err = -pthread_create(&thread, NULL, look_everywhere, &survey);
		if (!err)
			pthread_join(thread, NULL);
	}
	for (i = 0; i < survey.count; i++) {
		if (survey.places[i].fd >= 0)
			close(survey.places[i].fd);
	}
	free(survey.places);
	return err;
}

struct neighbours {
	void (*visit)(void *context, const struct rpf_survey_address *address, enum rpf_neighbour_source source);
	void *context;
	size_t seen;
};

struct found {
	struct rpf_survey_address address;
	uint32_t table;
};

static bool has_enough(struct neighbours *neighbours)
{
	return neighbours->seen++ >= MAX_NEIGHBOURS;
}

static int visit_route_attribute(const struct nlattr *attribute, void *data)
{
	struct found *found = data;

	switch (mnl_attr_get_type(attribute)) {
	case RTA_DST:
		rpf_attr_copy_word(found->address.address, attribute);
		break;
	case RTA_OIF:
		rpf_attr_copy_word(&found->address.ifindex, attribute);
		break;
	case RTA_TABLE:
		rpf_attr_copy_word(&found->table, attribute);
		break;
	}
	return MNL_CB_OK;
}

static int visit_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct found found = { .address.prefix_length = 32 };
	struct neighbours *neighbours = data;

	if (has_enough(neighbours)) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) || head->rtm_dst_len != 32 ||
	    head->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_parse(message, sizeof(*head), visit_route_attribute, &found);
	if (found.address.ifindex && found.table != RT_TABLE_LOCAL)
		neighbours->visit(neighbours->context, &found.address, RPF_FROM_ROUTE);
	return MNL_CB_OK;
}

static int visit_neighbour_attribute(const struct nlattr *attribute, void *data)
{
	struct rpf_survey_address *address = data;

	if (mnl_attr_get_type(attribute) == NDA_DST &&
	    mnl_attr_get_payload_len(attribute) == sizeof(address->address))
		memcpy(address->address, mnl_attr_get_payload(attribute), sizeof(address->address));
	return MNL_CB_OK;
}

static int visit_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *head = mnl_nlmsg_get_payload(message);
	struct rpf_survey_address address = { .prefix_length = 32 };
	const uint16_t known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	struct neighbours *neighbours = data;

	if (has_enough(neighbours)) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*head) || !(head->ndm_state & known) ||
	    head->ndm_type != RTN_UNICAST)
		return MNL_CB_OK;
	address.ifindex = head->ndm_ifindex;
	mnl_attr_parse(message, sizeof(*head), visit_neighbour_attribute, &address);
	neighbours->visit(neighbours->context, &address, RPF_FROM_NEIGHBOUR);
	return MNL_CB_OK;
}

static int read_neighbours(void *context)
{
	struct neighbours *neighbours = context;
	struct rtmsg route = { .rtm_family = AF_INET };
	struct ndmsg neighbour = { .ndm_family = AF_INET };
	int first, second;

	first = dump(RTM_GETROUTE, &route, sizeof(route), visit_route, neighbours, &neighbours->seen);
	second = dump(RTM_GETNEIGH, &neighbour, sizeof(neighbour), visit_neighbour, neighbours,
		      &neighbours->seen);
	if (first && first != -E2BIG)
		return first;
	if (second && second != -E2BIG)
		return second;
	return first || second;
}

int rpf_neighbours(uint32_t netns,
		   void (*visit)(void *context, const struct rpf_survey_address *address,
				 enum rpf_neighbour_source source),
		   void *context)
{
	struct neighbours neighbours = { .visit = visit, .context = context };

	return rpf_in_netns(netns, read_neighbours, &neighbours);
}
