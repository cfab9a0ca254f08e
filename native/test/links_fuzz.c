/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes for netlink messages, batches of any length: nothing is read outside of them, and records are well-formed. */
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "check.h"
#include "rpf_internal.h"

/*
 * Most of what a fuzzer makes up is of unknown types and skipped. These turn messages and attributes into the kinds that we
 * read; lengths and contents stay as made up.
 */
static void make_known_attributes(struct nlattr *attribute, int left, bool nested)
{
	static const uint16_t types[] = { IFLA_IFNAME, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO };

	while (mnl_attr_ok(attribute, left)) {
		attribute->nla_type = nested ? IFLA_INFO_KIND : types[attribute->nla_type % 4];
		if (attribute->nla_type == IFLA_LINKINFO)
			make_known_attributes(mnl_attr_get_payload(attribute),
					      mnl_attr_get_payload_len(attribute), true);
		left -= MNL_ALIGN(attribute->nla_len);
		attribute = mnl_attr_next(attribute);
	}
}

static void make_link_messages(unsigned char *bytes, size_t size)
{
	struct nlmsghdr *message = (struct nlmsghdr *)bytes;
	int left = size;

	while (mnl_nlmsg_ok(message, left) && message->nlmsg_len <= (uint32_t)left) {
		struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
		int bytes_behind = (int)mnl_nlmsg_get_payload_len(message) - (int)sizeof(*info);

		message->nlmsg_type = message->nlmsg_type & 1 ? RTM_NEWLINK : RTM_DELLINK;
		if (bytes_behind >= 0) {
			info->ifi_family = AF_UNSPEC;
			make_known_attributes((struct nlattr *)(info + 1), bytes_behind, false);
		}
		message = mnl_nlmsg_next(message, &left);
	}
}

/* One message of the whole: what is left to make up is its attributes. */
static void make_one_message(unsigned char *bytes, size_t size)
{
	struct nlmsghdr *message = (struct nlmsghdr *)bytes;

	if (size >= sizeof(*message))
		message->nlmsg_len = size;
}

static void require_links(const unsigned char *batch, size_t bytes)
{
	size_t at;

	for (at = sizeof(struct rpf_batch); at < bytes; at += sizeof(struct rpf_link)) {
		const struct rpf_link *link = (const void *)(batch + at);

		REQUIRE(at + sizeof(*link) <= bytes);
		REQUIRE(link->header.kind == RPF_RECORD_LINK && link->header.size == sizeof(*link));
		REQUIRE(!link->name[RPF_NAME_BYTES - 1] && !link->kind[RPF_NAME_BYTES - 1]);
		REQUIRE(link->gone <= 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mnl_socket *socket; /* subscribed to nothing: there is never anything to receive */
	struct rpf_links links = { 0 };
	size_t room, bytes;
	bool finished;

	if (!socket)
		socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	REQUIRE(socket);
	if (!size)
		return 0;
	room = sizeof(struct rpf_batch) + sizeof(struct rpf_link) * (1 + data[0] % 4);
	links.socket = socket;
	links.pending_bytes = size - 1;
	links.buffer = calloc(1, MNL_ALIGN(size)); /* libmnl reads up to the next multiple of 4; the core's buffer is one */
	REQUIRE(links.buffer);
	memcpy(links.buffer, data + 1, size - 1);
	if (data[0] & 4)
		make_one_message(links.buffer, size - 1);
	make_link_messages(links.buffer, size - 1);
	do {
		unsigned char *batch = malloc(room);
		struct rpf_writer writer;

		REQUIRE(batch);
		rpf_writer_begin(&writer, batch, room);
		finished = rpf_links_drain(&links, &writer);
		bytes = rpf_writer_finish(&writer);
		REQUIRE(finished || bytes);
		require_links(batch, bytes);
		free(batch);
	} while (!finished);
	free(links.buffer);
	return 0;
}
