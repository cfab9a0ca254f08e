/* SPDX-License-Identifier: Apache-2.0 */
/* Names that only the running kernel knows: drop reasons from its BTF, symbols from the kernel itself. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "rpf_internal.h"

#define CORE_PREFIX "SKB_DROP_REASON_"
#define SUBSYS_SHIFT 16 /* SKB_DROP_REASON_SUBSYS_SHIFT, include/net/dropreason.h */

/* Enumerators that are bounds and masks, not reasons. */
static bool is_bound(const char *name)
{
	return !strcmp(name, CORE_PREFIX "MAX") || !strcmp(name, CORE_PREFIX "SUBSYS_MASK") ||
	       !strcmp(name, "SKB_NOT_DROPPED_YET");
}

/* Visits one enum of drop reasons. In a subsystem's enum only values with a subsystem number are reasons. */
static int visit_enum(const struct btf *btf, const struct btf_type *type, bool core,
		      int (*visit)(void *, uint32_t, const char *), void *context)
{
	const struct btf_enum *values = btf_enum(type);
	int i, err = 0;

	for (i = 0; !err && i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, values[i].name_off);
		uint32_t value = values[i].val;

		if (is_bound(name) || (!core && (!(value >> SUBSYS_SHIFT) || !strncmp(name, "__", 2))))
			continue;
		if (!strncmp(name, CORE_PREFIX, strlen(CORE_PREFIX)))
			name += strlen(CORE_PREFIX);
		err = visit(context, value, name);
	}
	return err;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* Every enum that is called ..._drop_reason: skb_drop_reason is the core's, the rest belong to subsystems. */
static int visit_btf(const struct btf *btf, uint32_t first_id, int (*visit)(void *, uint32_t, const char *),
		     void *context)
{
	uint32_t id;
	int err = 0;

	for (id = first_id; !err && id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name;

		if (!btf_is_enum(type))
			continue;
		name = btf__name_by_offset(btf, type->name_off);
		if (ends_with(name, "drop_reason"))
			err = visit_enum(btf, type, !strcmp(name, "skb_drop_reason"), visit, context);
	}
	return err;
}

static int visit_modules(struct btf *vmlinux, int (*visit)(void *, uint32_t, const char *), void *context)
{
	uint32_t first_id = btf__type_cnt(vmlinux);
	glob_t modules;
	int err = 0;
	size_t i;

	if (glob("/sys/kernel/btf/*", 0, NULL, &modules))
		return 0;
	for (i = 0; !err && i < modules.gl_pathc; i++) {
		struct btf *btf;

		if (ends_with(modules.gl_pathv[i], "/vmlinux"))
			continue;
		btf = btf__parse_split(modules.gl_pathv[i], vmlinux);
		if (!btf)
			continue; /* a module that went away, or one with a base of its own: its names stay numbers */
		err = visit_btf(btf, first_id, visit, context);
		btf__free(btf);
	}
	globfree(&modules);
	return err;
}

int rpf_reasons(int (*visit)(void *context, uint32_t reason, const char *name), void *context)
{
	struct btf *btf = rpf_kernel_btf();
	int err;

	if (!btf)
		return -errno;
	err = visit_btf(btf, 1, visit, context);
	if (!err)
		err = visit_modules(btf, visit, context);
	rpf_release_kernel_btf(btf);
	return err;
}

static int name_by_kallsyms(struct rpf_tracer *tracer, uint64_t address, char *buffer, size_t bytes)
{
	if (!tracer->kallsyms)
		tracer->kallsyms = rpf_kallsyms_read();
	return tracer->kallsyms ? rpf_kallsyms_name(tracer->kallsyms, address, buffer, bytes) : -errno;
}

int rpf_symbol(struct rpf_tracer *tracer, uint64_t address, char *buffer, size_t bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &address, .ctx_size_in = sizeof(address));
	char text[RPF_SYMBOL_BYTES];
	char *size;

	if (tracer->symbol_fd < 0)
		return name_by_kallsyms(tracer, address, buffer, bytes);
	if (bpf_prog_test_run_opts(tracer->symbol_fd, &options))
		return -errno;
	memcpy(text, tracer->symbol, sizeof(text));
	text[sizeof(text) - 1] = 0;
	/* "symbol+0x25b/0x4f0 [module]": the function's size says nothing to a reader. */
	size = strchr(text, '/');
	if (size) {
		char *module = strchr(size, ' ');

		memmove(size, module ? module : size + strlen(size), module ? strlen(module) + 1 : 1);
	}
	snprintf(buffer, bytes, "%s", text);
	return strlen(buffer);
}
