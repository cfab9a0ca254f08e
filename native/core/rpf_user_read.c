/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps bpf_probe_read_user() in the programs that read a command line, under lockdown=confidentiality too.
 *
 * libbpf tries once whether the kernel has bpf_probe_read_kernel(). Lockdown forbids that helper, so libbpf takes the kernel for
 * one before v5.5, where both were bpf_probe_read(), and puts that in place of each of them (bpf_object__sanitize_prog(),
 * libbpf 1.1 to 1.5). Lockdown forbids bpf_probe_read() as well, but not bpf_probe_read_user() (kernel/trace/bpf_trace.c,
 * bpf_base_func_proto() in kernel/bpf/helpers.c, v6.12): a process's own memory is no secret of the kernel.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rpf_internal.h"

/* The section tells what to attach to: libbpf's own handlers are not called for these. */
static const struct user_reader {
	const char *section;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *tracepoint; /* NULL: none */
} USER_READERS[] = {
	{ "cgroup/sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, NULL },
	{ "tp_btf/sched_process_exec", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "sched_process_exec" },
};

static bool calls(const struct bpf_insn *insn, int helper)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && !insn->dst_reg && insn->imm == helper;
}

/*
 * Nothing of ours calls bpf_probe_read(): where it stands, libbpf has put it. In an object that reads the kernel by helpers it
 * stands for these too, but such an object is not loaded under lockdown: its program at kfree_skb is refused.
 */
static int restore_helper(struct bpf_program *program)
{
	size_t count = bpf_program__insn_cnt(program), i;
	struct bpf_insn *insns = malloc(count * sizeof(*insns));
	int err;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	for (i = 0; i < count; i++) {
		if (calls(&insns[i], BPF_FUNC_probe_read))
			insns[i].imm = BPF_FUNC_probe_read_user;
	}
	err = bpf_program__set_insns(program, insns, count);
	free(insns);
	return err;
}

/* libbpf_find_vmlinux_btf_id() would read all of the kernel's types once more. */
static int find_tracepoint(const char *name)
{
	struct btf *btf = rpf_kernel_btf();
	int id = btf ? rpf_find_tracepoint(btf, name) : -errno;

	rpf_release_kernel_btf(btf);
	return id;
}

static int prepare_load(struct bpf_program *program, struct bpf_prog_load_opts *options, long cookie)
{
	const struct user_reader *reader = &USER_READERS[cookie];
	int id;

	if (reader->tracepoint) {
		id = find_tracepoint(reader->tracepoint);
		if (id < 0)
			return id;
		options->attach_btf_id = id;
	}
	return restore_helper(program);
}

static void register_readers(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, options, .prog_prepare_load_fn = prepare_load);
	size_t i;

	for (i = 0; i < sizeof(USER_READERS) / sizeof(*USER_READERS); i++) {
		options.cookie = i;
		libbpf_register_prog_handler(USER_READERS[i].section, USER_READERS[i].type,
					     USER_READERS[i].attach, &options);
	}
}

void rpf_keep_user_reads(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_readers);
}
