// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel's own way into a program costs: attaches programs that do nothing until its standard input ends.
 *
 *     empty_hooks TIMES KIND/FUNCTION...
 *
 * TIMES programs at each of these; KIND is tp_btf, fentry, fexit, kprobe, kretprobe, kprobe.multi, kretprobe.multi (v5.18 and newer) or
 * kprobe.session (v6.10 and newer: one program at the entry and at the return). Writes "attached" when all are there. Else says which the
 * kernel refuses and why, and ends with 3.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KPROBE_TYPE "/sys/bus/event_source/devices/kprobe/type"
#define KPROBE_SESSION \
	56	    /* BPF_TRACE_KPROBE_SESSION, include/uapi/linux/bpf.h, v6.10: younger than Debian 12 */
#define AT_RETURN 1 /* BPF_F_KPROBE_MULTI_RETURN; in a perf event's config a return too */
#define REFUSED 3

enum way { BY_BTF, BY_PERF, BY_MULTI };

static const struct kind {
	const char *name;
	enum way way;
	int attach_type;
	int flags;
	const char *prefix; /* what the BTF calls it */
	int btf_kind;
} KINDS[] = {
	{ "tp_btf", BY_BTF, BPF_TRACE_RAW_TP, 0, "btf_trace_", BTF_KIND_TYPEDEF },
	{ "fentry", BY_BTF, BPF_TRACE_FENTRY, 0, "", BTF_KIND_FUNC },
	{ "fexit", BY_BTF, BPF_TRACE_FEXIT, 0, "", BTF_KIND_FUNC },
	{ "kprobe", BY_PERF, 0, 0, "", 0 },
	{ "kretprobe", BY_PERF, 0, AT_RETURN, "", 0 },
	{ "kprobe.multi", BY_MULTI, BPF_TRACE_KPROBE_MULTI, 0, "", 0 },
	{ "kretprobe.multi", BY_MULTI, BPF_TRACE_KPROBE_MULTI, AT_RETURN, "", 0 },
	{ "kprobe.session", BY_MULTI, KPROBE_SESSION, 0, "", 0 },
};

static const struct bpf_insn NOTHING[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
	{ .code = BPF_JMP | BPF_EXIT },
};

static const struct btf *kernel_btf;

static int load(const struct kind *kind, const char *function)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kind->attach_type);
	enum bpf_prog_type type = kind->way == BY_BTF ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_KPROBE;
	char name[128];
	int id;

	if (kind->way == BY_BTF) {
		snprintf(name, sizeof(name), "%s%s", kind->prefix, function);
		id = btf__find_by_name_kind(kernel_btf, name, kind->btf_kind);
		if (id < 0)
			return id;
		options.attach_btf_id = id;
	}
	return bpf_prog_load(type, "empty", "GPL", NOTHING, sizeof(NOTHING) / sizeof(*NOTHING), &options);
}

static int attach_perf(int program, const char *function, int flags)
{
	struct perf_event_attr attribute = {
		.size = sizeof(attribute),
		.config = flags,
		.config1 = (uintptr_t)function,
	};
	FILE *file = fopen(KPROBE_TYPE, "re");
	int event;

	if (!file || fscanf(file, "%u", &attribute.type) != 1)
		return -1;
	fclose(file);
	event = syscall(SYS_perf_event_open, &attribute, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return event < 0 ? event : ioctl(event, PERF_EVENT_IOC_SET_BPF, program);
}

/* The library of Debian 12 knows no sessions. */
static int attach_multi(int program, const char *function, const struct kind *kind)
{
	union bpf_attr attribute;

	memset(&attribute, 0, sizeof(attribute));
	attribute.link_create.prog_fd = program;
	attribute.link_create.attach_type = kind->attach_type;
	attribute.link_create.kprobe_multi.flags = kind->flags;
	attribute.link_create.kprobe_multi.cnt = 1;
	attribute.link_create.kprobe_multi.syms = (uintptr_t)&function;
	return syscall(SYS_bpf, BPF_LINK_CREATE, &attribute, sizeof(attribute));
}

/* All descriptors stay open. */
static int attach(const struct kind *kind, const char *function)
{
	int program = load(kind, function);

	if (program < 0)
		return -1;
	if (kind->way == BY_BTF)
		return bpf_raw_tracepoint_open(NULL, program);
	if (kind->way == BY_PERF)
		return attach_perf(program, function, kind->flags);
	return attach_multi(program, function, kind);
}

static const struct kind *find_kind(const char *hook, const char *slash)
{
	size_t i;

	for (i = 0; slash && i < sizeof(KINDS) / sizeof(*KINDS); i++) {
		if (strlen(KINDS[i].name) == (size_t)(slash - hook) && !strncmp(KINDS[i].name, hook, slash - hook))
			return &KINDS[i];
	}
	return NULL;
}

static void attach_all(const char *hook, long times)
{
	const char *slash = strchr(hook, '/');
	const struct kind *kind = find_kind(hook, slash);

	if (!kind) {
		fprintf(stderr, "%s: no such hook\n", hook);
		exit(2);
	}
	while (times--) {
		if (attach(kind, slash + 1) >= 0)
			continue;
		fprintf(stderr, "%s: %s\n", hook, strerror(errno));
		exit(REFUSED);
	}
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 3) {
		fprintf(stderr, "usage: empty_hooks TIMES KIND/FUNCTION...\n");
		return 2;
	}
	libbpf_set_print(NULL);
	kernel_btf = btf__load_vmlinux_btf();
	if (!kernel_btf) {
		perror("the kernel's BTF");
		return REFUSED;
	}
	for (i = 2; i < argc; i++)
		attach_all(argv[i], strtol(argv[1], NULL, 10));
	puts("attached");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
