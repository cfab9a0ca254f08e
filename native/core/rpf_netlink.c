/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to rtnetlink, each over a socket of its own in the network namespace that the thread is in. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "rpf_internal.h"

#define DUMP_BYTES (32 * 1024) /* a dump comes in messages of at most 32 KiB, net/netlink/af_netlink.c */

int rpf_with_rtnetlink(int (*work)(struct mnl_socket *socket, void *context), void *context)
{
	struct timeval limit = { .tv_sec = 1 }; /* the kernel answers at once; never hang on it */
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err;

	if (!socket)
		return -errno;
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : work(socket, context);
	mnl_socket_close(socket);
	return err;
}

struct dump {
	uint16_t type;
	const void *head;
	size_t head_bytes;
	mnl_cb_t visit;
	void *context;
	char *buffer;
};

static int run_dump(struct mnl_socket *socket, void *context)
{
	const struct dump *dump = context;
	struct nlmsghdr *message = mnl_nlmsg_put_header(dump->buffer);
	ssize_t bytes;
	int more;

	message->nlmsg_type = dump->type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	memcpy(mnl_nlmsg_put_extra_header(message, dump->head_bytes), dump->head, dump->head_bytes);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	do {
		bytes = mnl_socket_recvfrom(socket, dump->buffer, DUMP_BYTES);
		if (bytes < 0)
			return -errno;
		more = mnl_cb_run(dump->buffer, bytes, 1, mnl_socket_get_portid(socket), dump->visit,
				  dump->context);
	} while (more > 0);
	return more < 0 ? -errno : 0;
}

int rpf_rtnetlink_dump(uint16_t type, const void *head, size_t head_bytes, mnl_cb_t visit, void *context)
{
	struct dump dump = {
		.type = type,
		.head = head,
		.head_bytes = head_bytes,
		.visit = visit,
		.context = context,
		.buffer = malloc(DUMP_BYTES),
	};
	int err;

	if (!dump.buffer)
		return -ENOMEM;
	err = rpf_with_rtnetlink(run_dump, &dump);
	free(dump.buffer);
	return err;
}

void rpf_attr_copy_word(void *to, const struct nlattr *attribute)
{
	if (mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t))
		memcpy(to, mnl_attr_get_payload(attribute), sizeof(uint32_t));
}

void rpf_attr_copy_name(char *to, const struct nlattr *attribute)
{
	size_t bytes = mnl_attr_get_payload_len(attribute);

	memset(to, 0, RPF_NAME_BYTES);
	memcpy(to, mnl_attr_get_payload(attribute), bytes < RPF_NAME_BYTES ? bytes : RPF_NAME_BYTES - 1);
}

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested (attribute, nest) {
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	}
	return NULL;
}

void rpf_attr_copy_kind(char *to, const struct nlattr *linkinfo)
{
	const struct nlattr *kind = find_nested(linkinfo, IFLA_INFO_KIND);

	if (kind)
		rpf_attr_copy_name(to, kind);
}

const struct nlattr *rpf_attr_devconf(const struct nlattr *af_spec)
{
	const struct nlattr *inet = find_nested(af_spec, AF_INET);

	return inet ? find_nested(inet, IFLA_INET_CONF) : NULL;
}
