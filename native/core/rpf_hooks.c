/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks on refused sources (native/bpf/source.h): which of them this kernel takes, which are wanted, attached or why
 * not. Whether a kernel takes one is tried with a program that does nothing: a program that it refuses would keep all the
 * others of the object from loading.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rpf_internal.h"

#define REFUSED_FUNCTION "ip_handle_martian_source"
#define RESULT_FUNCTION "ip_route_input_noref"

/* All that hold a program; those of a hook that is not chosen are not loaded. */
static const struct {
	const char *program;
	const char *name;
} PROGRAMS[] = {
	[RPF_HOOK_NONE] = { NULL, NULL },
	[RPF_HOOK_REFUSED_FENTRY] = { "rpf_refused_fentry", "fentry/" REFUSED_FUNCTION },
	[RPF_HOOK_RESULT_FEXIT] = { "rpf_result_fexit", "fexit/" RESULT_FUNCTION },
};

const char *rpf_hook_name(enum rpf_hook hook)
{
	return PROGRAMS[hook].name;
}

/* 0, or the negative errno with which the kernel refuses a trampoline at a function. */
static int try_trampoline(const struct btf *btf, const char *function, enum bpf_attach_type type)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type);
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC), fd;

	if (id < 0)
		return -ENOENT;
	options.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "rpf_trial", "GPL", nothing,
			   sizeof(nothing) / sizeof(*nothing), &options);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

void rpf_choose_hooks(const struct btf *btf, enum rpf_backend backend, struct rpf_hooks *hooks)
{
	memset(hooks, 0, sizeof(*hooks));
	hooks->wants_result = !rpf_has_reason(btf, "SKB_DROP_REASON_IP_RPFILTER") ||
			      backend == RPF_BACKEND_TRAMPOLINE;
	if (backend == RPF_BACKEND_TRACEPOINT) {
		hooks->wants_result = false;
		return;
	}
	hooks->refused.err = try_trampoline(btf, REFUSED_FUNCTION, BPF_TRACE_FENTRY);
	if (!hooks->refused.err)
		hooks->refused.hook = RPF_HOOK_REFUSED_FENTRY;
	if (!hooks->wants_result)
		return;
	hooks->result.err = try_trampoline(btf, RESULT_FUNCTION, BPF_TRACE_FEXIT);
	if (!hooks->result.err)
		hooks->result.hook = RPF_HOOK_RESULT_FEXIT;
}

void rpf_prepare_hooks(struct bpf_object *object, const struct rpf_hooks *hooks)
{
	size_t i;

	for (i = RPF_HOOK_NONE + 1; i < sizeof(PROGRAMS) / sizeof(*PROGRAMS); i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(object, PROGRAMS[i].program),
					  hooks->refused.hook == i || hooks->result.hook == i);
}

static void attach(struct bpf_object *object, struct rpf_chosen_hook *chosen)
{
	if (chosen->hook == RPF_HOOK_NONE)
		return;
	chosen->link = bpf_program__attach(
		bpf_object__find_program_by_name(object, PROGRAMS[chosen->hook].program));
	if (!chosen->link)
		chosen->err = -errno;
}

void rpf_attach_hooks(struct bpf_object *object, struct rpf_hooks *hooks)
{
	attach(object, &hooks->refused);
	attach(object, &hooks->result);
}

void rpf_detach_hooks(struct rpf_hooks *hooks)
{
	bpf_link__destroy(hooks->refused.link);
	bpf_link__destroy(hooks->result.link);
	hooks->refused.link = NULL;
	hooks->result.link = NULL;
}
