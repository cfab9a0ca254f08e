/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made of messages about routes and settings: told one by one, or counted when they are many; settings behind the
 * writes that made them. The kernel's end of the sockets is the test's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "fake_tracer.h"

#define NETNS 77
#define RING_BYTES (1 << 16)
#define TOLD_AT_MOST 256 /* as rpf_watch.c has it */

static _Alignas(8) unsigned char buffer[1 << 20];

struct seen {
	uint32_t changes;
	uint64_t many; /* changes that were told as a number */
	uint32_t netconfs;
	uint32_t drops_before_netconf;
	uint32_t drops_before_change;
	uint32_t drops;
	struct rpf_route_change last;
	struct rpf_netconf netconf;
};

/* A tracer that listens to one namespace. Returns the end that the kernel would have. */
static int listen_to(struct rpf_tracer *tracer)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &tracer->watches.at[0] };
	int ends[2];

	CHECK_EQUAL(rpf_watches_open(&tracer->watches), 0);
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	tracer->watches.at[0].fd = ends[0];
	tracer->watches.at[0].netns = NETNS;
	CHECK_EQUAL(epoll_ctl(tracer->watches.epoll_fd, EPOLL_CTL_ADD, ends[0], &event), 0);
	return ends[1];
}

static bool say(int end, const struct nlmsghdr *message)
{
	return send(end, message, message->nlmsg_len, 0) == (ssize_t)message->nlmsg_len;
}

static struct nlmsghdr *route_message(unsigned char *bytes, uint32_t address)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	struct rtmsg *head;

	message->nlmsg_type = RTM_NEWROUTE;
	message->nlmsg_flags = NLM_F_REPLACE;
	message->nlmsg_pid = 812;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->rtm_family = AF_INET;
	head->rtm_dst_len = 24;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(message, RTA_DST, address);
	mnl_attr_put_u32(message, RTA_OIF, 1);
	mnl_attr_put_u32(message, RTA_PRIORITY, 20);
	return message;
}

static struct nlmsghdr *netconf_message(unsigned char *bytes, int32_t ifindex, uint32_t rp_filter)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	struct netconfmsg *head;

	message->nlmsg_type = RTM_NEWNETCONF;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->ncm_family = AF_INET;
	mnl_attr_put_u32(message, NETCONFA_IFINDEX, ifindex);
	mnl_attr_put_u32(message, NETCONFA_RP_FILTER, rp_filter);
	return message;
}

static void see(const struct rpf_header *header, struct seen *seen)
{
	const struct rpf_route_change *change = (const void *)header;

	if (header->kind == RPF_RECORD_DROP) {
		seen->drops++;
	} else if (header->kind == RPF_RECORD_NETCONF) {
		seen->netconf = *(const struct rpf_netconf *)header;
		seen->netconfs++;
		seen->drops_before_netconf = seen->drops;
	} else if (header->kind == RPF_RECORD_ROUTE_CHANGE) {
		CHECK(change->not_before_ns <= change->header.time_ns);
		CHECK_EQUAL(change->netns, NETNS);
		seen->last = *change;
		seen->drops_before_change = seen->drops;
		if (change->what == RPF_CHANGED_MANY)
			seen->many += change->count;
		else
			seen->changes++;
	}
}

static long poll_once(struct rpf_tracer *tracer, struct seen *seen)
{
	long bytes = rpf_poll(tracer, buffer, sizeof(buffer), 0), at;

	for (at = 0; at < bytes; at += ((const struct rpf_header *)(buffer + at))->size)
		see((const void *)(buffer + at), seen);
	return bytes;
}

static void end(struct rpf_tracer *tracer, int kernel)
{
	close(kernel);
	rpf_watches_close(&tracer->watches);
	fake_tracer_close(tracer);
}

static void tells_what_a_route_has_become(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer);
	unsigned char bytes[256] = { 0 };
	struct seen seen = { 0 };

	CHECK(say(kernel, route_message(bytes, htonl(0x0af40300))));
	CHECK(poll_once(tracer, &seen) > 0);
	CHECK_EQUAL(seen.changes, 1);
	CHECK_EQUAL(seen.last.what, RPF_CHANGED_ROUTE);
	CHECK_EQUAL(seen.last.action, RPF_ACTION_REPLACED);
	CHECK_EQUAL(seen.last.port_id, 812);
	CHECK_EQUAL(seen.last.table, RT_TABLE_MAIN);
	CHECK_EQUAL(seen.last.priority, 20);
	CHECK_EQUAL(seen.last.prefix[1], 244);
	CHECK_EQUAL(seen.last.prefix_bits, 24);
	CHECK_EQUAL(seen.last.hops, 1);
	CHECK(!strcmp(seen.last.device, "lo"));
	end(tracer, kernel);
}

static void tells_a_link_that_goes_down(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer);
	unsigned char bytes[256] = { 0 };
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *info;
	struct seen seen = { 0 };

	message->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_index = 9;
	info->ifi_change = IFF_UP;
	mnl_attr_put_strz(message, IFLA_IFNAME, "eth1");
	CHECK(say(kernel, message));
	poll_once(tracer, &seen);
	CHECK_EQUAL(seen.last.what, RPF_CHANGED_LINK);
	CHECK_EQUAL(seen.last.action, RPF_ACTION_DOWN);
	CHECK(!strcmp(seen.last.device, "eth1"));
	end(tracer, kernel);
}

static void reads_settings_of_a_link(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer);
	unsigned char bytes[512] = { 0 };
	struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
	uint32_t values[IPV4_DEVCONF_MAX] = { 0 };
	struct nlattr *spec, *family;
	struct ifinfomsg *info;
	struct seen seen = { 0 };

	values[IPV4_DEVCONF_RP_FILTER - 1] = 2;
	values[IPV4_DEVCONF_SRC_VMARK - 1] = 1;
	message->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ifi_index = 9;
	mnl_attr_put_strz(message, IFLA_IFNAME, "eth1");
	spec = mnl_attr_nest_start(message, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(message, AF_INET);
	mnl_attr_put(message, IFLA_INET_CONF, sizeof(values), values);
	mnl_attr_nest_end(message, family);
	mnl_attr_nest_end(message, spec);
	CHECK(say(kernel, message));
	poll_once(tracer, &seen);
	CHECK_EQUAL(seen.netconfs, 1);
	CHECK_EQUAL(seen.netconf.values, 63);
	CHECK_EQUAL(seen.netconf.rp_filter, 2);
	CHECK_EQUAL(seen.netconf.src_valid_mark, 1);
	CHECK_EQUAL(seen.netconf.accept_local, 0);
	CHECK(!strcmp(seen.netconf.device, "eth1"));
	end(tracer, kernel);
}

static void counts_what_is_too_much_to_tell(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer), sent = 0;
	unsigned char bytes[256] = { 0 };
	struct seen seen = { 0 };

	while (sent < 5000) {
		memset(bytes, 0, sizeof(bytes));
		if (say(kernel, route_message(bytes, sent)))
			sent++;
		else
			poll_once(tracer, &seen);
	}
	while (seen.changes + seen.many < 5000)
		poll_once(tracer, &seen);
	CHECK(seen.many > 0);
	CHECK(seen.changes >= TOLD_AT_MOST);
	CHECK_EQUAL(seen.changes % TOLD_AT_MOST, 0); /* a slow machine may take more than a second */
	CHECK_EQUAL(seen.changes + seen.many, 5000);
	end(tracer, kernel);
}

static void tells_changes_before_the_drops_that_were_there(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer), sent;
	unsigned char bytes[256] = { 0 };
	struct seen seen = { 0 };

	for (sent = 0; sent < 1000; sent++) {
		memset(bytes, 0, sizeof(bytes));
		CHECK(say(kernel, route_message(bytes, sent)));
		CHECK(fake_send(tracer, sent, 0));
		while (seen.drops <= (uint32_t)sent && poll_once(tracer, &seen) >= 0)
			;
		CHECK_EQUAL(seen.drops_before_change, sent);
	}
	CHECK_EQUAL(seen.changes + seen.many, 1000);
	end(tracer, kernel);
}

static void tells_settings_behind_what_was_in_the_ring(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer);
	unsigned char bytes[256] = { 0 };
	struct rpf_drop *late;
	struct seen seen = { 0 };

	late = fake_reserve(tracer, sizeof(*late));
	CHECK(say(kernel, netconf_message(bytes, NETCONFA_IFINDEX_ALL, 1)));
	while (poll_once(tracer, &seen) > 0)
		;
	CHECK_EQUAL(seen.netconfs, 0); /* what was being written may be the record of that write */
	memset(late, 0, sizeof(*late));
	late->header.size = sizeof(*late);
	late->header.kind = RPF_RECORD_DROP;
	late->count = 1;
	fake_submit(tracer, late);
	while (poll_once(tracer, &seen) > 0)
		;
	CHECK_EQUAL(seen.netconfs, 1);
	CHECK_EQUAL(seen.drops_before_netconf, 1);
	CHECK_EQUAL(seen.netconf.rp_filter, 1);
	CHECK(!strcmp(seen.netconf.device, "all"));
	end(tracer, kernel);
}

static void says_when_settings_were_passed_over(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer), number;
	unsigned char bytes[256] = { 0 };
	struct rpf_drop *late;
	struct seen seen = { 0 };
	uint32_t fill;

	late = fake_reserve(tracer, sizeof(*late)); /* keeps what comes waiting */
	for (number = 0; number < 100; number++) {
		memset(bytes, 0, sizeof(bytes));
		/* Devices that are gone have no name: these differ in what they tell. */
		CHECK(say(kernel, netconf_message(bytes, number % 2 ? NETCONFA_IFINDEX_ALL : 1, number)));
		poll_once(tracer, &seen);
	}
	fake_discard(tracer, late);
	while (poll_once(tracer, &seen) > 0)
		;
	CHECK_EQUAL(seen.netconfs, 2); /* the last of each device */
	CHECK_EQUAL(seen.netconf.rp_filter, 99);
	tracer->watches.at[0].netconf_passed_over = true;
	for (fill = 0; seen.netconf.values && fill < 10; fill++)
		poll_once(tracer, &seen);
	CHECK_EQUAL(seen.netconf.values, 0);
	CHECK_EQUAL(seen.netconf.netns, NETNS);
	end(tracer, kernel);
}

static void ignores_what_is_no_message(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	int kernel = listen_to(tracer);
	unsigned char bytes[256] = { 0 };
	struct seen seen = { 0 };

	CHECK_EQUAL(send(kernel, "x", 1, 0), 1);
	((struct nlmsghdr *)bytes)->nlmsg_len = 4096;
	((struct nlmsghdr *)bytes)->nlmsg_type = RTM_NEWROUTE;
	CHECK_EQUAL(send(kernel, bytes, sizeof(bytes), 0), sizeof(bytes));
	memset(bytes, 0, sizeof(bytes));
	CHECK(say(kernel, route_message(bytes, 1)));
	while (poll_once(tracer, &seen) > 0)
		;
	CHECK_EQUAL(seen.changes, 1);
	end(tracer, kernel);
}

static void a_namespace_is_listened_to_once_and_let_go(void)
{
	struct rpf_watches watches;

	CHECK_EQUAL(rpf_watches_open(&watches), 0);
	CHECK_EQUAL(rpf_watches_add(&watches, 0), 0);
	CHECK_EQUAL(rpf_watches_add(&watches, 0), 0);
	CHECK(watches.at[0].fd >= 0 && watches.at[1].fd < 0);
	CHECK_EQUAL(rpf_watches_add(&watches, 1), -ESRCH);
	rpf_watches_remove(&watches, watches.at[0].netns);
	CHECK(watches.at[0].fd < 0);
	rpf_watches_remove(&watches, 1);
	rpf_watches_close(&watches);
	CHECK_EQUAL(rpf_watches_add(&watches, 0), -ENODEV);
}

int main(void)
{
	tells_what_a_route_has_become();
	tells_a_link_that_goes_down();
	reads_settings_of_a_link();
	counts_what_is_too_much_to_tell();
	tells_changes_before_the_drops_that_were_there();
	tells_settings_behind_what_was_in_the_ring();
	says_when_settings_were_passed_over();
	ignores_what_is_no_message();
	a_namespace_is_listened_to_once_and_let_go();
	return RPF_CHECK_RESULT;
}
