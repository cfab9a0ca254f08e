// SPDX-License-Identifier: Apache-2.0
/*
 * What one call through a trampoline into a program that does nothing takes, on kernels that refuse fentry and fexit too:
 *
 *     trampoline PROGRAMS CALLS ROUNDS
 *
 * PROGRAMS is trampoline.bpf.c, compiled. A connected socket is given a congestion control whose init is such a program, and one that has none, in turns. Writes the
 * difference in nanoseconds: of CALLS each, the least of ROUNDS. Says what the kernel refuses, and ends with 3.
 */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define REFUSED 3

static void must(int is_done, const char *what)
{
	if (is_done)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(REFUSED);
}

/* What is registered stays so until it is told otherwise, even if its process is gone. */
static struct bpf_link *links[2];

static void detach(void)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		bpf_link__destroy(links[i]);
}

static void attach(const char *path)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_map *map;
	int found = 0;

	must(object && !bpf_object__load(object), "the programs");
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	atexit(detach);
	bpf_object__for_each_map (map, object) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			must((links[found++] = bpf_map__attach_struct_ops(map)) != NULL, bpf_map__name(map));
	}
}

/* Of a network namespace that goes with this process. */
static int connected_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	struct ifreq device = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int listening, connected;

	must(!unshare(CLONE_NEWNET), "a network namespace");
	listening = socket(AF_INET, SOCK_STREAM, 0);
	must(!ioctl(listening, SIOCSIFFLAGS, &device), "lo");
	must(!bind(listening, (void *)&address, size) && !listen(listening, 1), "listen");
	must(!getsockname(listening, (void *)&address, &size), "getsockname");
	connected = socket(AF_INET, SOCK_STREAM, 0);
	must(!connect(connected, (void *)&address, size), "connect");
	return connected;
}

static void set(int socket, const char *name)
{
	must(!setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)), name);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static double lesser(double least, double sample)
{
	return least == 0 || sample < least ? sample : least;
}

/* Setting the one that is set does nothing, so reno comes between. */
static double switches(int socket, const char *name, long calls)
{
	double begin = now();
	long i;

	for (i = 0; i < calls; i++) {
		set(socket, name);
		set(socket, "reno");
	}
	return (now() - begin) / calls;
}

int main(int argc, char **argv)
{
	double with = 0, without = 0;
	long calls, rounds;
	int socket;

	if (argc != 4) {
		fprintf(stderr, "usage: trampoline PROGRAMS CALLS ROUNDS\n");
		return 2;
	}
	calls = strtol(argv[2], NULL, 10);
	libbpf_set_print(NULL);
	attach(argv[1]);
	socket = connected_socket();
	for (rounds = strtol(argv[3], NULL, 10); rounds > 0; rounds--) {
		without = lesser(without, switches(socket, "rpf_plain", calls));
		with = lesser(with, switches(socket, "rpf_init", calls));
	}
	printf("%.1f\n", with - without);
	return 0;
}
