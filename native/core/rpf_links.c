/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the reader's map of ifindex to device current: one dump, then RTM_NEWLINK and RTM_DELLINK as they come. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "rpf_internal.h"

#define RECEIVE_BYTES \
	(32 * 1024) /* a netlink dump comes in messages of at most 32 KiB, net/netlink/af_netlink.c */

static int request_dump(struct rpf_links *links)
{
	char buffer[NLMSG_ALIGN(sizeof(struct nlmsghdr)) + NLMSG_ALIGN(sizeof(struct ifinfomsg))];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	if (mnl_socket_sendto(links->socket, message, message->nlmsg_len) < 0)
		return -errno;
	links->dump_wanted = false;
	return 0;
}

int rpf_links_open(struct rpf_links *links)
{
	int group = RTNLGRP_LINK, err;

	*links = (struct rpf_links){ 0 };
	links->buffer = malloc(RECEIVE_BYTES);
	if (!links->buffer)
		return -ENOMEM;
	links->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!links->socket)
		goto fail;
	/* Subscribe first, then dump: what changes in between comes twice instead of never. */
	if (mnl_socket_bind(links->socket, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(links->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		goto fail;
	err = request_dump(links);
	if (!err)
		return 0;
	errno = -err;
fail:
	err = -errno;
	rpf_links_close(links);
	return err;
}

void rpf_links_close(struct rpf_links *links)
{
	if (links->socket)
		mnl_socket_close(links->socket);
	links->socket = NULL;
	free(links->buffer);
	links->buffer = NULL;
}

int rpf_links_fd(const struct rpf_links *links)
{
	return links->socket ? mnl_socket_get_fd(links->socket) : -1;
}

static int visit_attribute(const struct nlattr *attribute, void *data)
{
	struct rpf_link *link = data;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		rpf_attr_copy_name(link->name, attribute);
		break;
	case IFLA_LINK:
		rpf_attr_copy_word(&link->link_ifindex, attribute);
		break;
	case IFLA_MASTER:
		rpf_attr_copy_word(&link->master_ifindex, attribute);
		break;
	case IFLA_LINKINFO:
		rpf_attr_copy_kind(link->kind, attribute);
		break;
	}
	return MNL_CB_OK;
}

/* A message of family AF_BRIDGE speaks of a bridge port, not of the device, and its RTM_DELLINK does not delete it. */
static bool is_link(const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);

	return (message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK) &&
	       mnl_nlmsg_get_payload_len(message) >= sizeof(*info) && info->ifi_family == AF_UNSPEC;
}

static void fill_link(const struct nlmsghdr *message, struct rpf_link *link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);

	memset(link, 0, sizeof(*link));
	link->header.size = sizeof(*link);
	link->header.kind = RPF_RECORD_LINK;
	link->header.time_ns = rpf_now_ns();
	link->ifindex = info->ifi_index;
	link->gone = message->nlmsg_type == RTM_DELLINK;
	link->device_flags = info->ifi_flags;
	link->device_type = info->ifi_type;
	mnl_attr_parse(message, sizeof(*info), visit_attribute, link);
}

/* A deletion of device 0: all that was told is to be forgotten. */
static bool write_forget(struct rpf_links *links, struct rpf_writer *writer)
{
	struct rpf_link *link = rpf_writer_reserve(writer, sizeof(*link));

	if (!link)
		return false;
	memset(link, 0, sizeof(*link));
	link->header.size = sizeof(*link);
	link->header.kind = RPF_RECORD_LINK;
	link->header.time_ns = rpf_now_ns();
	link->gone = 1;
	links->forget_wanted = false;
	return true;
}

static bool write_links(struct rpf_links *links, struct rpf_writer *writer)
{
	if (links->forget_wanted && !write_forget(links, writer))
		return false;
	while (links->pending_at < links->pending_bytes) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(links->buffer + links->pending_at);
		int left = links->pending_bytes - links->pending_at;

		/* mnl_nlmsg_ok() takes a length of 2 GiB and more for a negative number, which fits. */
		if (!mnl_nlmsg_ok(message, left) || message->nlmsg_len > (uint32_t)left)
			break;
		if (is_link(message)) {
			struct rpf_link *link = rpf_writer_reserve(writer, sizeof(*link));

			if (!link)
				return false;
			fill_link(message, link);
		}
		links->pending_at += MNL_ALIGN(message->nlmsg_len);
	}
	links->pending_bytes = 0;
	links->pending_at = 0;
	return true;
}

bool rpf_links_drain(struct rpf_links *links, struct rpf_writer *writer)
{
	if (!links->socket)
		return true;
	for (;;) {
		ssize_t bytes;

		if (!write_links(links, writer))
			return false;
		if (links->dump_wanted && request_dump(links))
			return true; /* a dump is still running: again next time */
		bytes = mnl_socket_recvfrom(links->socket, links->buffer, RECEIVE_BYTES);
		if (bytes < 0 && errno == ENOBUFS) {
			links->dump_wanted = true; /* the kernel dropped messages: ask for the whole again */
			links->forget_wanted = true;
			continue;
		}
		if (bytes <= 0)
			return true;
		links->pending_bytes = bytes;
		links->pending_at = 0;
	}
}
