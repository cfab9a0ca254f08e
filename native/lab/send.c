// SPDX-License-Identifier: Apache-2.0
/*
 * rpftrace-send: sends real packets of a described kind out of a device, from inside a network namespace.
 *
 * Prints one JSON line: sent and refused frames (the kernel's backlog was full), their time, frames per second.
 * Exit codes: 0 done, 1 failed, 2 wrong usage.
 */
#define _GNU_SOURCE
#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64	       /* frames per sendmmsg(): the system call no longer shows in a profile */
#define MAX_RATE 100000000     /* packets per second, far above what one core can do */
#define MAX_COUNT 10000000000L /* packets */
#define NS_PER_SECOND 1000000000L

struct options {
	struct frame_spec frame;
	const char *netns;
	const char *device;
	uint64_t count;
	uint32_t flows;
	uint64_t rate; /* packets per second, 0 = as fast as possible */
	int cpu;       /* -1 = not pinned */
	uint32_t mark;
	bool sink; /* receive instead of send */
	bool print_frame;
	bool has_src_mac;
};

struct totals {
	uint64_t sent;
	uint64_t refused;
	int64_t elapsed_ns;
};

static void parse_arguments(int argc, char **argv, struct options *options);
static int enter_netns(const char *path);
static int pin_to_cpu(int cpu);
static int open_sender(struct options *options, struct sockaddr_ll *address);
static int send_all(const struct options *options, int fd, const struct sockaddr_ll *address,
		    struct totals *totals);
static int run_sink(uint16_t port);

static int fail(const char *what)
{
	fprintf(stderr, "rpftrace-send: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct options options;
	struct sockaddr_ll address = { 0 };
	struct totals totals = { 0 };
	int fd, err;

	parse_arguments(argc, argv, &options);
	if (options.netns && enter_netns(options.netns))
		return fail(options.netns);
	if (options.cpu >= 0 && pin_to_cpu(options.cpu))
		return fail("--cpu");
	if (options.sink)
		return run_sink(options.frame.dst_port);

	fd = open_sender(&options, &address);
	if (fd < 0)
		return fail(options.device);
	err = send_all(&options, fd, &address, &totals);
	close(fd);
	if (err)
		return fail("send");
	printf("{\"sent\":%llu,\"refused\":%llu,\"elapsed_ns\":%lld,\"per_second\":%.0f}\n",
	       (unsigned long long)totals.sent, (unsigned long long)totals.refused,
	       (long long)totals.elapsed_ns, totals.sent * 1e9 / (totals.elapsed_ns ? totals.elapsed_ns : 1));
	return 0;
}

/* ---- where to send from ---- */

static int enter_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -1;
	err = setns(fd, CLONE_NEWNET);
	close(fd);
	return err;
}

static int pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static int use_own_mac(int fd, struct options *options)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, options->device, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return -1;
	memcpy(options->frame.src_mac, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

static int enable(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static bool needs_offload(const struct frame_spec *spec)
{
	return spec->gso || spec->linear;
}

/* A packet socket that receives nothing. Fills in the source MAC of options when none was given. */
static int open_sender(struct options *options, struct sockaddr_ll *address)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	address->sll_family = AF_PACKET;
	address->sll_protocol = htons(frame_ethertype(&options->frame));
	address->sll_ifindex = if_nametoindex(options->device);
	if (!address->sll_ifindex)
		goto fail;
	if (!options->has_src_mac && use_own_mac(fd, options))
		goto fail;
	if (options->mark && enable(fd, SOL_SOCKET, SO_MARK, options->mark))
		goto fail;
	if (enable(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1))
		goto fail;
	if (needs_offload(&options->frame) && enable(fd, SOL_PACKET, PACKET_VNET_HDR, 1))
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

/* ---- sending ---- */

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH][2];
	struct frame frames[MAX_FRAGMENTS]; // a batch, or all fragments of one packet
	uint8_t *memory;
	size_t used;
	size_t base; /* frames of the packet that all others repeat; 0 = each packet is built anew */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static void sleep_until(int64_t when_ns)
{
	struct timespec when = { .tv_sec = when_ns / NS_PER_SECOND, .tv_nsec = when_ns % NS_PER_SECOND };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

/* How many of the packets that are left may go out now, at least 1: sleeps until then. */
static uint64_t due(const struct options *options, uint64_t done, int64_t start_ns)
{
	uint64_t left = options->count - done;
	int64_t next_ns;
	uint64_t ready;

	if (!options->rate)
		return left;
	next_ns = start_ns + (int64_t)(done * (double)NS_PER_SECOND / options->rate);
	if (next_ns > now_ns())
		sleep_until(next_ns);
	ready = (now_ns() - start_ns) * (double)options->rate / NS_PER_SECOND;
	if (ready <= done)
		return 1;
	return ready - done < left ? ready - done : left;
}

static void point_message(struct batch *batch, size_t slot, const struct frame *frame)
{
	batch->parts[slot][0].iov_base = (void *)&frame->vnet;
	batch->parts[slot][0].iov_len = sizeof(frame->vnet);
	batch->parts[slot][1].iov_base = frame->bytes;
	batch->parts[slot][1].iov_len = frame->length;
}

/*
 * Hands messages [0, used) to the kernel, each once. sendmmsg() stops at a frame that is refused and tells its error only
 * if it was the first one.
 */
static int flush(struct batch *batch, int fd, struct totals *totals)
{
	size_t at = 0;

	while (at < batch->used) {
		int sent = sendmmsg(fd, batch->messages + at, batch->used - at, 0);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != ENOBUFS)
			return -1;
		if (sent < 0)
			sent = 0;
		totals->sent += sent;
		at += sent;
		if (at < batch->used) {
			totals->refused++;
			at++;
		}
	}
	batch->used = 0;
	return 0;
}

static struct batch *new_batch(const struct options *options, const struct sockaddr_ll *address)
{
	size_t bytes = frame_bytes(&options->frame);
	size_t frames = options->frame.fragment ? MAX_FRAGMENTS : BATCH;
	bool offload = needs_offload(&options->frame);
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->memory = calloc(frames, bytes);
	if (!batch->memory) {
		free(batch);
		return NULL;
	}
	for (size_t i = 0; i < frames; i++)
		batch->frames[i].bytes = batch->memory + i * bytes;
	for (size_t i = 0; i < BATCH; i++) {
		struct msghdr *message = &batch->messages[i].msg_hdr;

		message->msg_name = (void *)address;
		message->msg_namelen = sizeof(*address);
		message->msg_iov = offload ? batch->parts[i] : batch->parts[i] + 1;
		message->msg_iovlen = offload ? 2 : 1;
	}
	return batch;
}

static void free_batch(struct batch *batch)
{
	free(batch->memory);
	free(batch);
}

/* Sends one packet, in one frame or several; full batches go to the kernel. */
static int queue_packet(const struct options *options, struct batch *batch, uint64_t number, int fd,
			struct totals *totals)
{
	size_t count = batch->base;
	struct frame *frames = batch->frames;

	if (!count) {
		// What is built must not lie over frames that still wait: fragments reach further than a batch.
		if (options->frame.fragment && flush(batch, fd, totals))
			return -1;
		frames += batch->used;
		count = frame_build(&options->frame, number % options->flows, frames);
	}
	for (size_t i = 0; i < count; i++) {
		point_message(batch, batch->used++, &frames[i]);
		if (batch->used == BATCH && flush(batch, fd, totals))
			return -1;
	}
	return 0;
}

static void print_frame(const struct frame *frame)
{
	fprintf(stderr, "frame ");
	for (size_t i = 0; i < frame->length; i++)
		fprintf(stderr, "%02x", frame->bytes[i]);
	fprintf(stderr, "\n");
}

static int send_all(const struct options *options, int fd, const struct sockaddr_ll *address, struct totals *totals)
{
	struct batch *batch = new_batch(options, address);
	int64_t start_ns;
	uint64_t done = 0;
	int err = -1;

	if (!batch)
		return -1;
	if (options->flows == 1 || options->print_frame)
		batch->base = frame_build(&options->frame, 0, batch->frames);
	if (options->print_frame)
		print_frame(batch->frames);
	if (options->flows > 1)
		batch->base = 0;

	start_ns = now_ns();
	while (done < options->count) {
		uint64_t packets = due(options, done, start_ns);

		for (uint64_t i = 0; i < packets; i++)
			if (queue_packet(options, batch, done + i, fd, totals))
				goto out;
		if (flush(batch, fd, totals))
			goto out;
		done += packets;
	}
	totals->elapsed_ns = now_ns() - start_ns;
	err = 0;
out:
	free_batch(batch);
	return err;
}

/* ---- receiving ---- */

static int open_sink(uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (enable(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) || enable(fd, SOL_SOCKET, SO_RCVBUF, 1 << 20))
		goto fail;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

/* Receives UDP until standard input ends, so that a packet that gets through is not dropped for want of a socket. */
static int run_sink(uint16_t port)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	unsigned long received = 0;
	char bytes[64];

	fds[1].fd = open_sink(port);
	if (fds[1].fd < 0)
		return fail("sink");
	printf("{\"listening\":%u}\n", port);
	fflush(stdout);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return fail("poll");
		while (recv(fds[1].fd, bytes, sizeof(bytes), MSG_TRUNC) >= 0)
			received++;
		if (fds[0].revents && read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0)
			break;
	}
	printf("{\"received\":%lu}\n", received);
	return 0;
}

/* ---- arguments ---- */

static const char
	usage[] = "usage: rpftrace-send KIND [options]\n"
		  "       rpftrace-send sink --dst-port PORT [--netns PATH]\n"
		  "KIND: udp, tcp, icmp (echo request) or arp (who has --dst)\n"
		  "  --netns PATH        enter this network namespace first\n"
		  "  --device NAME       send out of this device (eth0)\n"
		  "  --src-mac MAC       (the device's own)\n"
		  "  --dst-mac MAC       (broadcast)\n"
		  "  --src ADDRESS       IPv4 or IPv6, anything at all\n"
		  "  --dst ADDRESS\n"
		  "  --src-port PORT     ICMP: echo identifier (40000)\n"
		  "  --dst-port PORT     (9)\n"
		  "  --length BYTES      payload (18; 0 for tcp)\n"
		  "  --ttl N             (64)\n"
		  "  --tcp-flags HEX     (02, SYN)\n"
		  "  --mark N            SO_MARK; gone once the packet crosses into another network namespace\n"
		  "  --vlan ID           802.1Q tag\n"
		  "  --fragment BYTES    cut the packet into fragments with so much payload, a multiple of 8\n"
		  "  --truncate BYTES    send only the first bytes of the packet, headers untouched\n"
		  "  --shorten BYTES     send only the first bytes after the IP header, and let that header say so\n"
		  "  --header-length N   what the IPv4 header says of its own length, 32 bit words (5)\n"
		  "  --gso BYTES         one super-packet, to be cut into segments with so much payload\n"
		  "  --linear BYTES      packet bytes in the linear area of the socket buffer (frames of 4096 bytes and more)\n"
		  "  --count N           packets (1)\n"
		  "  --flows N           packets take turns among so many flows (1)\n"
		  "  --spread WHAT       what makes flows differ: port (then address) or address (port)\n"
		  "  --rate N            packets per second (as fast as possible)\n"
		  "  --cpu N             run on this CPU\n"
		  "  --print-frame       write the first frame to standard error, in hex\n";

static void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "rpftrace-send: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n%s", usage);
	va_end(arguments);
	exit(2);
}

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most, int base)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, base);
	if (errno || end == text || *end || *text == '-')
		die("--%s: '%s' is not a number", name, text);
	if (value < least || value > most)
		die("--%s: %s is not between %llu and %llu", name, text, (unsigned long long)least,
		    (unsigned long long)most);
	return value;
}

static void mac(const char *name, const char *text, uint8_t *bytes)
{
	char rest;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", bytes, bytes + 1, bytes + 2, bytes + 3,
		   bytes + 4, bytes + 5, &rest) != 6)
		die("--%s: '%s' is not a MAC address", name, text);
}

/* Returns the address family. */
static int address(const char *name, const char *text, uint8_t *bytes)
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, bytes) == 1)
		return AF_INET6;
	die("--%s: '%s' is not an IP address", name, text);
	return 0;
}

static enum frame_kind kind_of(const char *word)
{
	static const char *const names[] = {
		[FRAME_UDP] = "udp", [FRAME_TCP] = "tcp", [FRAME_ICMP] = "icmp", [FRAME_ARP] = "arp"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(word, names[i]))
			return i;
	die("'%s' is none of udp, tcp, icmp, arp, sink", word);
	return 0;
}

static enum frame_spread spread_of(const char *word)
{
	if (!strcmp(word, "port"))
		return SPREAD_PORT;
	if (strcmp(word, "address"))
		die("--spread: '%s' is neither port nor address", word);
	return SPREAD_ADDRESS;
}

static void check(const struct options *options, int src_family, int dst_family)
{
	const struct frame_spec *frame = &options->frame;

	if (options->sink)
		return;
	if (!src_family || !dst_family)
		die("--src and --dst are needed");
	if (src_family != dst_family)
		die("--src and --dst are of different families");
	if (frame->kind == FRAME_ARP && src_family != AF_INET)
		die("arp takes IPv4 addresses");
	if (frame->gso && (frame->kind == FRAME_ICMP || frame->kind == FRAME_ARP || frame->fragment))
		die("--gso goes with udp and tcp, and without --fragment");
	if (frame->gso && frame->length <= frame->gso)
		die("--gso: a payload of %zu bytes is a single segment", frame->length);
	if (frame->fragment % 8)
		die("--fragment: %zu is not a multiple of 8", frame->fragment);
	if (frame->fragment && (frame->length + 20) / frame->fragment >= MAX_FRAGMENTS)
		die("--fragment: more than %d fragments", MAX_FRAGMENTS);
}

enum option_id {
	OPT_NETNS = 1,
	OPT_DEVICE,
	OPT_SRC_MAC,
	OPT_DST_MAC,
	OPT_SRC,
	OPT_DST,
	OPT_SRC_PORT,
	OPT_DST_PORT,
	OPT_LENGTH,
	OPT_TTL,
	OPT_TCP_FLAGS,
	OPT_MARK,
	OPT_VLAN,
	OPT_FRAGMENT,
	OPT_TRUNCATE,
	OPT_SHORTEN,
	OPT_HEADER_LENGTH,
	OPT_GSO,
	OPT_LINEAR,
	OPT_COUNT,
	OPT_FLOWS,
	OPT_SPREAD,
	OPT_RATE,
	OPT_CPU,
	OPT_PRINT_FRAME,
};

static const struct option long_options[] = {
	{ "netns", required_argument, NULL, OPT_NETNS },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "src-mac", required_argument, NULL, OPT_SRC_MAC },
	{ "dst-mac", required_argument, NULL, OPT_DST_MAC },
	{ "src", required_argument, NULL, OPT_SRC },
	{ "dst", required_argument, NULL, OPT_DST },
	{ "src-port", required_argument, NULL, OPT_SRC_PORT },
	{ "dst-port", required_argument, NULL, OPT_DST_PORT },
	{ "length", required_argument, NULL, OPT_LENGTH },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "tcp-flags", required_argument, NULL, OPT_TCP_FLAGS },
	{ "mark", required_argument, NULL, OPT_MARK },
	{ "vlan", required_argument, NULL, OPT_VLAN },
	{ "fragment", required_argument, NULL, OPT_FRAGMENT },
	{ "truncate", required_argument, NULL, OPT_TRUNCATE },
	{ "shorten", required_argument, NULL, OPT_SHORTEN },
	{ "header-length", required_argument, NULL, OPT_HEADER_LENGTH },
	{ "gso", required_argument, NULL, OPT_GSO },
	{ "linear", required_argument, NULL, OPT_LINEAR },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "flows", required_argument, NULL, OPT_FLOWS },
	{ "spread", required_argument, NULL, OPT_SPREAD },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "print-frame", no_argument, NULL, OPT_PRINT_FRAME },
	{ NULL, 0, NULL, 0 },
};

/* Options that describe the frame. Returns false for any other. */
static bool parse_frame_option(int id, const char *name, const char *text, struct frame_spec *frame)
{
	switch (id) {
	case OPT_DST_MAC:
		mac(name, text, frame->dst_mac);
		return true;
	case OPT_SRC_PORT:
		frame->src_port = number(name, text, 0, 65535, 10);
		return true;
	case OPT_DST_PORT:
		frame->dst_port = number(name, text, 0, 65535, 10);
		return true;
	case OPT_LENGTH:
		frame->length = number(name, text, 0, MAX_PAYLOAD, 10);
		return true;
	case OPT_TTL:
		frame->ttl = number(name, text, 0, 255, 10);
		return true;
	case OPT_TCP_FLAGS:
		frame->tcp_flags = number(name, text, 0, 255, 16);
		return true;
	case OPT_VLAN:
		frame->vlan = number(name, text, 0, 4094, 10);
		return true;
	case OPT_FRAGMENT:
		frame->fragment = number(name, text, 8, MAX_PAYLOAD, 10);
		return true;
	case OPT_TRUNCATE:
		frame->truncate = number(name, text, 0, MAX_PAYLOAD, 10);
		return true;
	case OPT_SHORTEN:
		frame->shorten = number(name, text, 0, MAX_PAYLOAD, 10);
		return true;
	case OPT_HEADER_LENGTH:
		frame->header_length = number(name, text, 0, 15, 10);
		return true;
	case OPT_GSO:
		frame->gso = number(name, text, 1, 65535, 10);
		return true;
	case OPT_LINEAR:
		frame->linear = number(name, text, 1, MAX_PAYLOAD, 10);
		return true;
	case OPT_SPREAD:
		frame->spread = spread_of(text);
		return true;
	default:
		return false;
	}
}

/* Options that say where, how many and how fast. */
static void parse_run_option(int id, const char *name, const char *text, struct options *options)
{
	switch (id) {
	case OPT_NETNS:
		options->netns = text;
		return;
	case OPT_DEVICE:
		options->device = text;
		return;
	case OPT_SRC_MAC:
		mac(name, text, options->frame.src_mac);
		options->has_src_mac = true;
		return;
	case OPT_MARK:
		options->mark = number(name, text, 0, UINT32_MAX, 0);
		return;
	case OPT_COUNT:
		options->count = number(name, text, 1, MAX_COUNT, 10);
		return;
	case OPT_FLOWS:
		options->flows = number(name, text, 1, UINT32_MAX, 10);
		return;
	case OPT_RATE:
		options->rate = number(name, text, 1, MAX_RATE, 10);
		return;
	case OPT_CPU:
		options->cpu = number(name, text, 0, CPU_SETSIZE - 1, 10);
		return;
	case OPT_PRINT_FRAME:
		options->print_frame = true;
		return;
	default:
		fprintf(stderr, "%s", usage); // getopt has said what is wrong
		exit(2);
	}
}

static void parse_arguments(int argc, char **argv, struct options *options)
{
	int src_family = 0, dst_family = 0, index, id;

	*options = (struct options){
		.device = "eth0",
		.count = 1,
		.flows = 1,
		.cpu = -1,
		.frame = { .dst_mac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
			   .src_port = 40000,
			   .dst_port = 9,
			   .ttl = 64,
			   .tcp_flags = 0x02,
			   .vlan = -1,
			   .header_length = 5,
			   .truncate = SIZE_MAX,
			   .shorten = SIZE_MAX },
	};
	if (argc < 2 || *argv[1] == '-')
		die("say first what to send");
	options->sink = !strcmp(argv[1], "sink");
	if (!options->sink)
		options->frame.kind = kind_of(argv[1]);
	options->frame.length = options->frame.kind == FRAME_TCP ? 0 : 18; // 18: the shortest frame of a real wire

	while ((id = getopt_long(argc - 1, argv + 1, "", long_options, &index)) != -1) {
		const char *name = id == '?' ? "" : long_options[index].name;

		if (id == OPT_SRC)
			src_family = address(name, optarg, options->frame.src);
		else if (id == OPT_DST)
			dst_family = address(name, optarg, options->frame.dst);
		else if (!parse_frame_option(id, name, optarg, &options->frame))
			parse_run_option(id, name, optarg, options);
	}
	if (optind < argc - 1)
		die("'%s' is one word too many", argv[optind + 1]);
	check(options, src_family, dst_family);
	options->frame.family = src_family;
}
