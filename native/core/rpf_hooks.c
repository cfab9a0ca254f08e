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
#define VALIDATING_FUNCTION "fib_validate_source"

/* All that hold programs; those of a hook that is not chosen are not loaded. */
static const struct {
	const char *programs[RPF_HOOK_PROGRAMS];
	const char *name;
} PROGRAMS[] = {
	[RPF_HOOK_NONE] = { { NULL }, NULL },
	[RPF_HOOK_REFUSED_FENTRY] = { { "rpf_refused_fentry" }, "fentry/" REFUSED_FUNCTION },
	[RPF_HOOK_REFUSED_KPROBE] = { { "rpf_refused_kprobe" }, "kprobe/" REFUSED_FUNCTION },
	[RPF_HOOK_RESULT_FEXIT] = { { "rpf_result_fexit" }, "fexit/" RESULT_FUNCTION },
	[RPF_HOOK_VALIDATED_FEXIT] = { { "rpf_validated_fexit" }, "fexit/" VALIDATING_FUNCTION },
	[RPF_HOOK_VALIDATED_KPROBE] = { { "rpf_validated_kprobe", "rpf_validated_kretprobe" },
					"kretprobe/" VALIDATING_FUNCTION },
	[RPF_HOOK_RESULT_COUNTER] = { { NULL }, "counter/IPReversePathFilter" },
};

#define HOOKS (sizeof(PROGRAMS) / sizeof(*PROGRAMS))

const char *rpf_hook_name(enum rpf_hook hook)
{
	return PROGRAMS[hook].name;
}

/* 0, or the negative errno with which the kernel refuses a trampoline at a function: for too many arguments when it attaches. */
static int try_trampoline(const struct btf *btf, const char *function, enum bpf_attach_type type)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type);
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC), fd, link, err = 0;

	if (id < 0)
		return -ENOENT;
	options.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "rpf_trial", "GPL", nothing,
			   sizeof(nothing) / sizeof(*nothing), &options);
	if (fd < 0)
		return -errno;
	link = bpf_raw_tracepoint_open(NULL, fd);
	if (link < 0)
		err = rpf_attach_error();
	else
		close(link);
	close(fd);
	return err;
}

/* 0, or the negative errno with which the kernel refuses a hook. */
static int try_hook(const struct btf *btf, enum rpf_hook hook)
{
	const char *step;

	switch (hook) {
	case RPF_HOOK_REFUSED_FENTRY:
		return try_trampoline(btf, REFUSED_FUNCTION, BPF_TRACE_FENTRY);
	case RPF_HOOK_REFUSED_KPROBE:
		return rpf_try_kprobe(REFUSED_FUNCTION, false, &step);
	case RPF_HOOK_RESULT_FEXIT:
		return try_trampoline(btf, RESULT_FUNCTION, BPF_TRACE_FEXIT);
	case RPF_HOOK_VALIDATED_FEXIT:
		return try_trampoline(btf, VALIDATING_FUNCTION, BPF_TRACE_FEXIT);
	case RPF_HOOK_VALIDATED_KPROBE:
		return rpf_try_kprobe(VALIDATING_FUNCTION, true, &step);
	default:
		return -ENOENT;
	}
}

/* Takes the first that the kernel takes; where it takes none, hook and err are those of the first. */
static void choose(const struct btf *btf, const enum rpf_hook *candidates, size_t count,
		   struct rpf_chosen_hook *chosen)
{
	size_t i;
	int err;

	for (i = 0; i < count; i++) {
		err = try_hook(btf, candidates[i]);
		if (i && err)
			continue;
		chosen->hook = candidates[i];
		chosen->err = err;
		if (!err)
			return;
	}
}

/* What stands at a return sees more than its caller's; a kprobe costs more than a trampoline. */
static const enum rpf_hook ANY_REFUSED[] = { RPF_HOOK_REFUSED_FENTRY, RPF_HOOK_REFUSED_KPROBE };
static const enum rpf_hook ANY_RESULT[] = { RPF_HOOK_VALIDATED_FEXIT, RPF_HOOK_RESULT_FEXIT,
					    RPF_HOOK_VALIDATED_KPROBE };

static const struct {
	enum rpf_hook refused;
	enum rpf_hook result;
} BACKENDS[] = {
	[RPF_BACKEND_FENTRY] = { RPF_HOOK_REFUSED_FENTRY, RPF_HOOK_RESULT_FEXIT },
	[RPF_BACKEND_FEXIT] = { RPF_HOOK_REFUSED_FENTRY, RPF_HOOK_VALIDATED_FEXIT },
	[RPF_BACKEND_KPROBE] = { RPF_HOOK_REFUSED_KPROBE, RPF_HOOK_VALIDATED_KPROBE },
};

static bool is_there(const struct rpf_chosen_hook *chosen)
{
	return chosen->hook != RPF_HOOK_NONE && !chosen->err;
}

/* The counter costs accepted packets nothing. */
static void choose_result(const struct btf *btf, const struct rpf_features *features, struct rpf_hooks *hooks)
{
	if (features->rpfilter_counter && is_there(&hooks->refused))
		hooks->result.hook = RPF_HOOK_RESULT_COUNTER;
	else
		choose(btf, ANY_RESULT, sizeof(ANY_RESULT) / sizeof(*ANY_RESULT), &hooks->result);
}

void rpf_choose_hooks(const struct btf *btf, enum rpf_backend backend, const struct rpf_features *features,
		      struct rpf_hooks *hooks)
{
	memset(hooks, 0, sizeof(*hooks));
	if (backend == RPF_BACKEND_TRACEPOINT)
		return;
	if (backend != RPF_BACKEND_AUTO) {
		choose(btf, &BACKENDS[backend].refused, 1, &hooks->refused);
		choose(btf, &BACKENDS[backend].result, 1, &hooks->result);
		return;
	}
	choose(btf, ANY_REFUSED, sizeof(ANY_REFUSED) / sizeof(*ANY_REFUSED), &hooks->refused);
	if (!features->rpfilter_reason)
		choose_result(btf, features, hooks);
}

bool rpf_reads_counter(const struct rpf_hooks *hooks)
{
	return hooks->result.hook == RPF_HOOK_RESULT_COUNTER && is_there(&hooks->result);
}

static bool is_kprobe(const struct rpf_chosen_hook *chosen)
{
	return is_there(chosen) &&
	       (chosen->hook == RPF_HOOK_REFUSED_KPROBE || chosen->hook == RPF_HOOK_VALIDATED_KPROBE);
}

/* Without a hook that sees the refusal nobody knows where the counter stood. */
static void settle_counter(struct rpf_hooks *hooks)
{
	if (hooks->result.hook == RPF_HOOK_RESULT_COUNTER)
		hooks->result.err = hooks->refused.err;
}

bool rpf_give_up_kprobes(struct rpf_hooks *hooks, int err)
{
	bool refused = is_kprobe(&hooks->refused), result = is_kprobe(&hooks->result);

	if (refused)
		hooks->refused.err = err;
	if (result)
		hooks->result.err = err;
	settle_counter(hooks);
	return refused || result;
}

bool rpf_joins_refusals(const struct rpf_hooks *hooks)
{
	return is_there(&hooks->refused) || is_there(&hooks->result);
}

static struct bpf_program *program_of(struct bpf_object *object, enum rpf_hook hook, size_t i)
{
	const char *name = PROGRAMS[hook].programs[i];

	return name ? bpf_object__find_program_by_name(object, name) : NULL;
}

void rpf_prepare_hooks(struct bpf_object *object, const struct rpf_hooks *hooks)
{
	size_t hook, i;

	for (hook = RPF_HOOK_NONE + 1; hook < HOOKS; hook++) {
		bool is_wanted = (hooks->refused.hook == hook && is_there(&hooks->refused)) ||
				 (hooks->result.hook == hook && is_there(&hooks->result));

		for (i = 0; i < RPF_HOOK_PROGRAMS && PROGRAMS[hook].programs[i]; i++)
			bpf_program__set_autoload(program_of(object, hook, i), is_wanted);
	}
}

static void detach(struct rpf_chosen_hook *chosen)
{
	size_t i;

	for (i = 0; i < RPF_HOOK_PROGRAMS; i++) {
		bpf_link__destroy(chosen->links[i]);
		chosen->links[i] = NULL;
	}
}

static void attach(struct bpf_object *object, struct rpf_chosen_hook *chosen)
{
	struct bpf_program *program;
	size_t i;

	if (!is_there(chosen))
		return;
	for (i = 0; i < RPF_HOOK_PROGRAMS; i++) {
		program = program_of(object, chosen->hook, i);
		chosen->links[i] = program ? bpf_program__attach(program) : NULL;
		if (!program || chosen->links[i])
			continue;
		chosen->err = -errno;
		detach(chosen);
		return;
	}
}

void rpf_attach_hooks(struct bpf_object *object, struct rpf_hooks *hooks)
{
	attach(object, &hooks->refused);
	settle_counter(hooks);
	attach(object, &hooks->result);
}

void rpf_detach_hooks(struct rpf_hooks *hooks)
{
	detach(&hooks->refused);
	detach(&hooks->result);
}
