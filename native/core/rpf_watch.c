/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listens to what routes and settings depend on: one rtnetlink socket in each network namespace that somebody cares about.
 * A flood of changes costs little: the first of a second are told one by one, of the rest only how many there were; they are
 * read by the clock then, and never more than a bound at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpf_internal.h"

#define RECEIVE_BYTES (16 * 1024) /* a link with 32 virtual functions; what is longer is counted, not read */
#define SOCKET_BYTES (1 << 20)	  /* some 1300 changes: 5 ms of 250,000 a second */
#define READS_AT_A_TIME 512	  /* some 0.4 ms */
#define TOLD_PER_SECOND 256	  /* of one namespace; a person at work makes fewer */
#define FLOOD_MS 5
#define MANY_MS 20 /* as old may be what is known of routes in a flood, unless drops come */
#define SECOND_NS 1000000000ULL

static bool is_open(const struct rpf_watches *watches)
{
	return watches->buffer;
}

int rpf_watches_open(struct rpf_watches *watches)
{
	int i;

	memset(watches, 0, sizeof(*watches));
	pthread_mutex_init(&watches->lock, NULL);
	for (i = 0; i < RPF_WATCHES; i++)
		watches->at[i].fd = -1;
	watches->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watches->epoll_fd < 0)
		return -errno;
	watches->buffer = malloc(RECEIVE_BYTES);
	if (watches->buffer)
		return 0;
	close(watches->epoll_fd);
	return -ENOMEM;
}

void rpf_watches_close(struct rpf_watches *watches)
{
	int i;

	if (!is_open(watches))
		return;
	for (i = 0; i < RPF_WATCHES; i++) {
		if (watches->at[i].fd >= 0)
			close(watches->at[i].fd);
	}
	close(watches->epoll_fd);
	free(watches->buffer);
	watches->buffer = NULL;
	pthread_mutex_destroy(&watches->lock);
}

/* In the network namespace. Returns the socket. */
static int open_socket(void *context)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_LINK, RTNLGRP_IPV4_NETCONF };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int bytes = SOCKET_BYTES, nexthop = RTNLGRP_NEXTHOP, err;
	size_t i;

	(void)context;
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		goto fail;
	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])))
			goto fail;
	}
	setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nexthop, sizeof(nexthop)); /* v5.3 and newer */
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

static uint32_t own_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) ? 0 : status.st_ino;
}

static int open_in(uint32_t netns, char *path, size_t bytes)
{
	int err = rpf_netns_find(netns, path, bytes);

	return err ? err : rpf_in_netns_at(path, netns, open_socket, NULL);
}

static struct rpf_watch *find_watch(struct rpf_watches *watches, uint32_t netns)
{
	int i;

	for (i = 0; i < RPF_WATCHES; i++) {
		if (watches->at[i].fd >= 0 && watches->at[i].netns == netns)
			return &watches->at[i];
	}
	return NULL;
}

static struct rpf_watch *find_place(struct rpf_watches *watches)
{
	int i;

	for (i = 0; i < RPF_WATCHES; i++) {
		if (watches->at[i].fd < 0 && !watches->at[i].gone)
			return &watches->at[i];
	}
	return NULL;
}

static int insert(struct rpf_watches *watches, uint32_t netns, int fd, const char *path)
{
	struct rpf_watch *watch = find_place(watches);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	if (!watch)
		return -ENOSPC;
	if (epoll_ctl(watches->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	*watch = (struct rpf_watch){ .netns = netns, .fd = fd, .looked_ns = rpf_now_ns() };
	snprintf(watch->path, sizeof(watch->path), "%s", path);
	return 0;
}

int rpf_watches_add(struct rpf_watches *watches, uint32_t netns)
{
	char path[sizeof(watches->at[0].path)] = "";
	uint32_t own = own_netns();
	bool is_known, is_full;
	int fd, err;

	if (!is_open(watches))
		return -ENODEV;
	if (!netns)
		netns = own;
	pthread_mutex_lock(&watches->lock);
	is_known = find_watch(watches, netns);
	is_full = !find_place(watches);
	pthread_mutex_unlock(&watches->lock);
	if (is_known || is_full)
		return is_known ? 0 : -ENOSPC;
	fd = netns == own ? open_socket(NULL) : open_in(netns, path, sizeof(path));
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&watches->lock);
	err = insert(watches, netns, fd, path);
	pthread_mutex_unlock(&watches->lock);
	if (err)
		close(fd);
	return err;
}

static void close_watch(struct rpf_watch *watch)
{
	close(watch->fd); /* leaves the epoll set with it */
	watch->fd = -1;
}

void rpf_watches_remove(struct rpf_watches *watches, uint32_t netns)
{
	struct rpf_watch *watch;

	if (!is_open(watches))
		return;
	pthread_mutex_lock(&watches->lock);
	watch = find_watch(watches, netns);
	if (watch)
		close_watch(watch);
	pthread_mutex_unlock(&watches->lock);
}

int rpf_watches_fd(const struct rpf_watches *watches)
{
	return is_open(watches) && !watches->flooded ? watches->epoll_fd : -1;
}

int rpf_watches_limit_ms(const struct rpf_watches *watches)
{
	if (watches->flooded)
		return FLOOD_MS;
	return watches->pending ? MANY_MS : -1;
}

/* A socket keeps its namespace alive: it goes when nothing else leads there any more. */
static void check_paths(struct rpf_watches *watches, uint64_t now)
{
	int i;

	if (now - watches->checked_ns < SECOND_NS)
		return;
	watches->checked_ns = now;
	for (i = 0; i < RPF_WATCHES; i++) {
		struct rpf_watch *watch = &watches->at[i];

		if (watch->fd < 0 || !*watch->path || rpf_netns_leads_to(watch->path, watch->netns) ||
		    !rpf_netns_find(watch->netns, watch->path, sizeof(watch->path)))
			continue;
		close_watch(watch);
		watch->gone = true;
	}
}

/* Device names are asked for through the socket: it is in the right namespace. */
static void name_device(int fd, uint32_t ifindex, char *name)
{
	struct ifreq request = { .ifr_ifindex = ifindex };

	if (ifindex && !*name && !ioctl(fd, SIOCGIFNAME, &request))
		memcpy(name, request.ifr_name, RPF_NAME_BYTES);
}

static void count_change(struct rpf_watch *watch)
{
	if (!watch->many++)
		watch->many_since_ns = watch->looked_ns;
}

static bool may_tell(struct rpf_watch *watch, uint64_t now)
{
	if (now - watch->second_ns >= SECOND_NS) {
		watch->second_ns = now;
		watch->told = 0;
	}
	return watch->told < TOLD_PER_SECOND;
}

static void put_change(const struct rpf_watch *watch, uint64_t now, struct rpf_route_change *change,
		       struct rpf_writer *writer)
{
	struct rpf_route_change *record = rpf_writer_reserve(writer, sizeof(*record));

	change->header.size = sizeof(*change);
	change->header.kind = RPF_RECORD_ROUTE_CHANGE;
	change->header.time_ns = now;
	if (!change->not_before_ns)
		change->not_before_ns = watch->looked_ns;
	change->netns = watch->netns;
	memcpy(record, change, sizeof(*record));
}

/* There is room for one record. */
static void take_change(struct rpf_watch *watch, const struct nlmsghdr *message, uint64_t now,
			struct rpf_writer *writer)
{
	struct rpf_route_change change = { 0 };

	if (!rpf_change_read(message, &change))
		return;
	if (watch->many || !may_tell(watch, now)) {
		count_change(watch);
		return;
	}
	watch->told++;
	name_device(watch->fd, change.ifindex, change.device);
	put_change(watch, now, &change, writer);
}

static struct rpf_netconf *find_parked(struct rpf_watches *watches, const struct rpf_netconf *like)
{
	uint32_t i;

	for (i = 0; i < watches->parked_count; i++) {
		struct rpf_netconf *parked = &watches->parked[i];

		if (parked->netns == like->netns && !memcmp(parked->device, like->device, RPF_NAME_BYTES) &&
		    parked->values == like->values)
			return parked;
	}
	return watches->parked_count < RPF_PARKED_NETCONF ? &watches->parked[watches->parked_count++] : NULL;
}

static void name_settings(int fd, int32_t ifindex, char *name)
{
	if (ifindex == NETCONFA_IFINDEX_ALL)
		memcpy(name, "all", sizeof("all"));
	else if (ifindex == NETCONFA_IFINDEX_DEFAULT)
		memcpy(name, "default", sizeof("default"));
	else
		name_device(fd, ifindex, name);
}

/* A write that was seen is in the ring before the kernel makes it true and says so: its record must come first. */
static void park_netconf(struct rpf_watches *watches, struct rpf_watch *watch, const struct nlmsghdr *message,
			 const struct rpf_ring *ring, uint64_t now)
{
	struct rpf_netconf netconf = { .netns = watch->netns }, *parked;
	int32_t ifindex = 0;

	if (!rpf_netconf_read(message, &netconf, &ifindex))
		return;
	netconf.header.size = sizeof(netconf);
	netconf.header.kind = RPF_RECORD_NETCONF;
	netconf.header.time_ns = now;
	name_settings(watch->fd, ifindex, netconf.device);
	parked = find_parked(watches, &netconf);
	if (!parked) {
		watch->netconf_passed_over = true;
		return;
	}
	*parked = netconf;
	watches->parked_mark[parked - watches->parked] = atomic_load_explicit(ring->producer,
									      memory_order_acquire);
}

static void take_messages(struct rpf_watches *watches, struct rpf_watch *watch, int bytes, uint64_t now,
			  const struct rpf_ring *ring, struct rpf_writer *writer)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)watches->buffer;

	/* mnl_nlmsg_ok() takes a length of 2 GiB and more for a negative number, which fits. */
	while (mnl_nlmsg_ok(message, bytes) && message->nlmsg_len <= (uint32_t)bytes) {
		if ((size_t)(writer->end - writer->at) >= sizeof(struct rpf_route_change))
			take_change(watch, message, now, writer);
		else
			count_change(watch);
		park_netconf(watches, watch, message, ring, now);
		message = mnl_nlmsg_next(message, &bytes);
	}
}

/* Returns the bytes of a message of the kernel's; 0: there is none; an errno. */
static int receive(const struct rpf_watches *watches, const struct rpf_watch *watch)
{
	struct sockaddr_nl from = { 0 };
	socklen_t length = sizeof(from);
	ssize_t bytes = recvfrom(watch->fd, watches->buffer, RECEIVE_BYTES, MSG_TRUNC,
				 (struct sockaddr *)&from, &length);

	if (bytes < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (bytes > RECEIVE_BYTES)
		return -EMSGSIZE;
	/* Whoever rules the namespace can send to us too. */
	return from.nl_pid || !bytes ? -ENOMSG : bytes;
}

static void read_watch(struct rpf_watches *watches, struct rpf_watch *watch, int *reads,
		       const struct rpf_ring *ring, struct rpf_writer *writer)
{
	for (; *reads > 0; --*reads) {
		uint64_t now = rpf_now_ns();
		int bytes = receive(watches, watch);

		if (!bytes) {
			watch->looked_ns = now;
			return;
		}
		if (bytes == -ENOBUFS)
			watch->missed = watch->netconf_passed_over = true;
		else if (bytes == -EMSGSIZE)
			count_change(watch);
		else if (bytes > 0)
			take_messages(watches, watch, bytes, now, ring, writer);
		else if (bytes != -ENOMSG && bytes != -EINTR)
			return;
	}
}

static bool tell_whole(struct rpf_watch *watch, uint32_t what, uint64_t count, uint64_t not_before_ns,
		       struct rpf_writer *writer)
{
	struct rpf_route_change change = { .what = what, .count = count, .not_before_ns = not_before_ns };

	if ((size_t)(writer->end - writer->at) < sizeof(change))
		return false;
	put_change(watch, rpf_now_ns(), &change, writer);
	return true;
}

/* What is no message of its own. false: the batch is full. */
static bool tell_rest(struct rpf_watches *watches, struct rpf_watch *watch, bool is_urgent, uint64_t now,
		      struct rpf_writer *writer)
{
	bool is_flooded = watch->told >= TOLD_PER_SECOND && now - watch->second_ns < SECOND_NS;

	if (watch->missed) {
		if (!tell_whole(watch, RPF_CHANGED_MISSED, 1, watch->looked_ns, writer))
			return false;
		watch->missed = false;
	}
	if (watch->many && (is_urgent || !is_flooded || now - watches->many_told_ns >= MANY_MS * 1000000ULL)) {
		if (!tell_whole(watch, RPF_CHANGED_MANY, watch->many, watch->many_since_ns, writer))
			return false;
		watches->many_told_ns = now;
		watch->many = 0;
	}
	if (watch->gone) {
		if (!tell_whole(watch, RPF_CHANGED_UNWATCHED, 1, watch->looked_ns, writer))
			return false;
		watch->gone = false;
	}
	watches->flooded |= is_flooded;
	watches->pending |= watch->many > 0;
	return true;
}

static void read_ready(struct rpf_watches *watches, uint64_t now, const struct rpf_ring *ring,
		       struct rpf_writer *writer)
{
	struct epoll_event ready[RPF_WATCHES];
	int count = epoll_wait(watches->epoll_fd, ready, RPF_WATCHES, 0), reads = READS_AT_A_TIME, i;
	bool has_more[RPF_WATCHES] = { false };

	for (i = 0; i < count; i++)
		has_more[(struct rpf_watch *)ready[i].data.ptr - watches->at] = true;
	for (i = 0; i < RPF_WATCHES; i++) {
		unsigned int at = (watches->next + i) % RPF_WATCHES;

		if (has_more[at])
			read_watch(watches, &watches->at[at], &reads, ring, writer);
		else if (count >= 0)
			watches->at[at].looked_ns = now;
	}
	watches->next = (watches->next + 1) % RPF_WATCHES;
}

bool rpf_watches_drain(struct rpf_watches *watches, const struct rpf_ring *ring, bool is_urgent,
		       struct rpf_writer *writer)
{
	uint64_t now = rpf_now_ns();
	bool room = true;
	int i;

	if (!is_open(watches))
		return true;
	pthread_mutex_lock(&watches->lock);
	check_paths(watches, now);
	read_ready(watches, now, ring, writer);
	watches->flooded = false;
	watches->pending = false;
	for (i = 0; i < RPF_WATCHES && room; i++)
		room = tell_rest(watches, &watches->at[i], is_urgent, now, writer);
	pthread_mutex_unlock(&watches->lock);
	return room;
}

static bool put_netconf(const struct rpf_netconf *netconf, struct rpf_writer *writer)
{
	struct rpf_netconf *record = rpf_writer_reserve(writer, sizeof(*record));

	if (record)
		memcpy(record, netconf, sizeof(*record));
	return record;
}

static bool tell_passed_over(struct rpf_watch *watch, struct rpf_writer *writer)
{
	struct rpf_netconf netconf = {
		.header = { .size = sizeof(netconf), .kind = RPF_RECORD_NETCONF, .time_ns = rpf_now_ns() },
		.netns = watch->netns
	};

	if (!watch->netconf_passed_over)
		return true;
	if (!put_netconf(&netconf, writer))
		return false;
	watch->netconf_passed_over = false;
	return true;
}

bool rpf_watches_drain_netconf(struct rpf_watches *watches, const struct rpf_ring *ring, struct rpf_writer *writer)
{
	unsigned long taken = atomic_load_explicit(ring->consumer, memory_order_relaxed);
	uint32_t told = 0;
	bool room = true;
	int i;

	if (!is_open(watches))
		return true;
	pthread_mutex_lock(&watches->lock);
	while (room && told < watches->parked_count && watches->parked_mark[told] <= taken) {
		room = put_netconf(&watches->parked[told], writer);
		told += room;
	}
	watches->parked_count -= told;
	memmove(watches->parked, watches->parked + told, watches->parked_count * sizeof(*watches->parked));
	memmove(watches->parked_mark, watches->parked_mark + told,
		watches->parked_count * sizeof(*watches->parked_mark));
	for (i = 0; i < RPF_WATCHES && room; i++)
		room = tell_passed_over(&watches->at[i], writer);
	pthread_mutex_unlock(&watches->lock);
	return room;
}
