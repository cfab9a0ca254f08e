/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core without Node: prints records and totals, for debugging and for the tests of the core.
 *
 *   rpf_dump [-e] [-p] [-q] [-w] [-b BACKEND] [-s SNAPLEN] [-d SECONDS] [EXPRESSION]
 *
 * -e every drop as a record, -p read by bpf_probe_read_kernel, -q no record lines, -w watch route lookups, -b see refused sources by fentry, fexit, kprobe
 * or not at all (tracepoint). Ends after SECONDS (default 5) or at SIGINT; with 3 where the kernel does not take it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rpf_core.h"
#include "rpf_record.h"

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

static void print_drop(struct rpf_tracer *tracer, const struct rpf_drop *drop)
{
	int family = drop->flow.family == 6 ? AF_INET6 : AF_INET;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], symbol[128] = "?";

	inet_ntop(family, drop->flow.src, src, sizeof(src));
	inet_ntop(family, drop->flow.dst, dst, sizeof(dst));
	rpf_symbol(tracer, drop->flow.location, symbol, sizeof(symbol));
	printf("drop count=%llu reason=%u %s netns=%u dev=%s(%u) kind=%s peer=%s(%u,%u) %s:%u -> %s:%u proto=%u "
	       "type=%04x len=%u ttl=%u mark=%u gso=%u flags=%x knobs=%x rp=%d/%d task=%u %s snap=%u\n",
	       (unsigned long long)drop->count, drop->flow.reason, symbol, drop->flow.netns,
	       drop->flow.device, drop->flow.ifindex, drop->detail.device_kind, drop->detail.peer_device,
	       drop->detail.peer_ifindex, drop->detail.peer_netns, src, drop->flow.src_port, dst,
	       drop->flow.dst_port, drop->flow.protocol, drop->flow.ethertype, drop->detail.length,
	       drop->detail.ttl, drop->flow.mark, drop->detail.gso_segs, drop->detail.flags,
	       drop->detail.knobs, drop->flow.rp_filter_all, drop->flow.rp_filter_device, drop->task.pid,
	       drop->task.comm, drop->snap_bytes);
	if (drop->detail.flags & RPF_WITNESS)
		printf("  witness table=%u err=%d dev=%s(%u) gateway=%08x type=%u scope=%u\n",
		       drop->detail.witness_table, drop->detail.witness_err, drop->detail.witness_device,
		       drop->detail.witness_ifindex, drop->detail.witness_gateway, drop->detail.witness_type,
		       drop->detail.witness_scope);
}

static void print_sysctl(const struct rpf_sysctl *sysctl)
{
	uint32_t i;

	printf("sysctl %s old=%.4s new=%.4s netns=%u pid=%u uid=%u comm=%s flags=%x args=", sysctl->name,
	       sysctl->old_value, sysctl->new_value, sysctl->netns, sysctl->pid, sysctl->uid, sysctl->comm,
	       sysctl->flags);
	for (i = 0; i < sysctl->args_bytes; i++)
		putchar(sysctl->args[i] ? sysctl->args[i] : ' ');
	for (i = 0; i < sysctl->parents; i++)
		printf(" <- %s(%u)", sysctl->parent_comm + i * RPF_NAME_BYTES, sysctl->parent_pid[i]);
	printf(" exe=");
	for (i = sysctl->exe_parts; i-- > 0;)
		printf("/%s", sysctl->exe + i * RPF_EXE_PART_BYTES);
	printf("\n");
}

static void print_record(struct rpf_tracer *tracer, const struct rpf_header *header)
{
	const struct rpf_lost *lost = (const void *)header;
	const struct rpf_link *link = (const void *)header;
	const struct rpf_route_change *change = (const void *)header;
	const struct rpf_netconf *netconf = (const void *)header;

	switch (header->kind) {
	case RPF_RECORD_DROP:
		print_drop(tracer, (const void *)header);
		break;
	case RPF_RECORD_LOST:
		printf("lost count=%llu where=%u reason=%u netns=%u\n", (unsigned long long)lost->count,
		       lost->where, lost->reason, lost->netns);
		break;
	case RPF_RECORD_SYSCTL:
		print_sysctl((const void *)header);
		break;
	case RPF_RECORD_ROUTE_CHANGE:
		printf("route_change what=%u action=%u count=%llu netns=%u port=%u table=%u %u.%u.%u.%u/%u dev=%s(%u)\n",
		       change->what, change->action, (unsigned long long)change->count, change->netns,
		       change->port_id, change->table, change->prefix[0], change->prefix[1], change->prefix[2],
		       change->prefix[3], change->prefix_bits, change->device, change->ifindex);
		break;
	case RPF_RECORD_NETCONF:
		printf("netconf netns=%u dev=%s values=%u rp_filter=%d forwarding=%d\n", netconf->netns,
		       netconf->device, netconf->values, netconf->rp_filter, netconf->forwarding);
		break;
	case RPF_RECORD_LINK:
		printf("link %s(%u) kind=%s gone=%u\n", link->name, link->ifindex, link->kind, link->gone);
		break;
	}
}

static long print_batch(struct rpf_tracer *tracer, const unsigned char *buffer, long bytes, int quiet)
{
	long at;

	for (at = 0; !quiet && at < bytes; at += ((const struct rpf_header *)(buffer + at))->size)
		print_record(tracer, (const struct rpf_header *)(buffer + at));
	return bytes;
}

static void print_stats(struct rpf_tracer *tracer)
{
	struct rpf_stats stats;

	if (rpf_stats(tracer, &stats))
		return;
	printf("seen=%ju matched=%ju lost=%ju recursion=%ju delivered=%ju records=%ju coarse=%ju ns_per_run=%.1f\n",
	       (uintmax_t)stats.seen, (uintmax_t)stats.matched, (uintmax_t)stats.lost,
	       (uintmax_t)stats.recursion, (uintmax_t)stats.delivered, (uintmax_t)stats.records,
	       (uintmax_t)stats.coarse, stats.run_count ? (double)stats.run_ns / stats.run_count : 0);
}

/* RPF_BACKEND_*, or -1 for a name that is none. */
static int backend_of(const char *name)
{
	static const char *const names[] = {
		[RPF_BACKEND_AUTO] = "auto",	 [RPF_BACKEND_TRACEPOINT] = "tracepoint",
		[RPF_BACKEND_FENTRY] = "fentry", [RPF_BACKEND_FEXIT] = "fexit",
		[RPF_BACKEND_KPROBE] = "kprobe",
	};
	int i;

	for (i = 0; i < (int)(sizeof(names) / sizeof(*names)); i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	return -1;
}

int main(int argc, char **argv)
{
	static _Alignas(8) unsigned char buffer[1 << 20];
	struct rpf_config config = { 0 };
	struct rpf_error error = { 0 };
	struct rpf_tracer *tracer;
	int option, backend, quiet = 0, witness = 0;
	time_t end;
	long bytes;

	end = time(NULL) + 5;
	while ((option = getopt(argc, argv, "epqwb:s:d:")) != -1) {
		if (option == 'e')
			config.every = 1;
		else if (option == 'p')
			config.probe_read = 1;
		else if (option == 'w')
			witness = 1;
		else if (option == 'q')
			quiet = 1;
		else if (option == 'b' && (backend = backend_of(optarg)) >= 0)
			config.backend = backend;
		else if (option == 's')
			config.snaplen = atoi(optarg);
		else if (option == 'd')
			end = time(NULL) + atoi(optarg);
		else
			return 2;
	}
	config.expression = argv[optind];
	signal(SIGINT, on_signal);
	if (rpf_open(&config, &tracer, &error) || rpf_attach(tracer, &error)) {
		fprintf(stderr, "%s: %s\n", error.code, error.message);
		return 3;
	}
	if (witness && rpf_witness(tracer, 1))
		fprintf(stderr, "route lookups cannot be watched\n");
	fprintf(stderr, "attached\n");
	while (!stopped && time(NULL) < end) {
		bytes = rpf_poll(tracer, buffer, sizeof(buffer), 200);
		print_batch(tracer, buffer, bytes, quiet);
	}
	rpf_detach(tracer);
	while ((bytes = rpf_poll(tracer, buffer, sizeof(buffer), 0)) > 0)
		print_batch(tracer, buffer, bytes, quiet);
	print_stats(tracer);
	rpf_close(tracer);
	return 0;
}
