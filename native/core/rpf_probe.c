/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what the kernel and our privileges allow, before anything is loaded, and names what is missing. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "rpf_capabilities.h"
#include "rpf_internal.h"

#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"

/* CAP_SYS_ADMIN includes both, kernel/bpf/syscall.c and include/linux/capability.h. */
static int check_capabilities(struct rpf_error *error)
{
	uint64_t held;
	bool bpf, perfmon;

	if (rpf_capabilities(&held) || held & RPF_CAPABILITY(CAP_SYS_ADMIN))
		return 0; /* or it cannot be told: let the kernel speak */
	bpf = held & RPF_CAPABILITY(CAP_BPF);
	perfmon = held & RPF_CAPABILITY(CAP_PERFMON);
	if (bpf && perfmon)
		return 0;
	if (prctl(PR_CAPBSET_READ, CAP_BPF, 0, 0, 0) < 0)
		return rpf_fail(error, -EPERM, "E_MISSING_CAPABILITY",
				"missing CAP_SYS_ADMIN: before Linux 5.8 it takes that to load tracing programs");
	return rpf_fail(error, -EPERM, "E_MISSING_CAPABILITY",
			"missing %s%s%s: CAP_BPF to load programs, CAP_PERFMON to let them trace the kernel",
			bpf ? "" : "CAP_BPF", !bpf && !perfmon ? " and " : "", perfmon ? "" : "CAP_PERFMON");
}

int rpf_kfree_skb_arguments(const struct btf *btf)
{
	int id = rpf_find_tracepoint(btf, "kfree_skb");
	const struct btf_type *type;

	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type); /* typedef -> pointer */
	type = btf__type_by_id(btf, type->type);		     /* pointer -> prototype */
	if (!btf_is_func_proto(type))
		return -ENOENT;
	return btf_vlen(type) - 1; /* the first is the tracepoint's own void * */
}

/* Returns whether an enumeration has a value of this name, and the value. */
static bool find_in(const struct btf *btf, const struct btf_type *type, const char *name, uint32_t *value)
{
	int i;

	for (i = 0; i < btf_vlen(type); i++) {
		if (strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name))
			continue;
		*value = btf_enum(type)[i].val;
		return true;
	}
	return false;
}

static bool find_value(const struct btf *btf, const char *enumeration, const char *name, uint32_t *value)
{
	int id = btf__find_by_name_kind(btf, enumeration, BTF_KIND_ENUM);

	return id > 0 && find_in(btf, btf__type_by_id(btf, id), name, value);
}

static bool has_helper(const struct btf *btf, const char *name)
{
	uint32_t number;

	return find_value(btf, "bpf_func_id", name, &number);
}

/* Its number is an enumerator of an enumeration without a name (include/uapi/linux/snmp.h), and others have come before it. */
uint32_t rpf_counter_offset(const struct btf *btf)
{
	uint32_t id, count = btf__type_cnt(btf), number;

	for (id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_enum(type) && !type->name_off && find_in(btf, type, "LINUX_MIB_IPRPFILTER", &number))
			return number * sizeof(unsigned long);
	}
	return 0;
}

/* Reasons arrived in v5.17; fib_validate_source() returns them, negative, since v6.13, when all refused sources got one. */
static void probe_reasons(const struct btf *btf, struct rpf_features *features)
{
	bool tells = features->kfree_skb_arguments > 2, has_filter, has_all;
	uint32_t number;

	features->rpfilter_number = RPF_REASON_RPFILTER;
	has_filter = find_value(btf, "skb_drop_reason", "SKB_DROP_REASON_IP_RPFILTER",
				&features->rpfilter_number);
	has_all = find_value(btf, "skb_drop_reason", "SKB_DROP_REASON_IP_LOCAL_SOURCE", &number);
	features->rpfilter_reason = tells && has_filter;
	features->source_reasons = tells && has_all;
	features->rpfilter_result = has_all ? -(int)features->rpfilter_number : -EXDEV;
}

/* A kernel that appends arguments keeps the first ones where they are. */
static int probe_arguments(const struct btf *btf, uint32_t wanted, struct rpf_features *features,
			   struct rpf_error *error)
{
	int found = rpf_kfree_skb_arguments(btf);
	uint32_t arguments = found;

	if (found < 2)
		return rpf_fail(error, -ENOENT, "E_KERNEL_TOO_OLD",
				"this kernel has no BTF for tracepoint kfree_skb");
	if (wanted > arguments)
		return rpf_fail(error, -ENOENT, "E_NO_BACKEND",
				"tracepoint kfree_skb has %u arguments on this kernel, not %u", arguments,
				wanted);
	features->kfree_skb_arguments = wanted ? wanted : arguments > 4 ? 4 : arguments;
	return 0;
}

/* What was asked for by name is there, or we say why not. */
static int check_backend(enum rpf_backend backend, const struct rpf_hooks *hooks, struct rpf_error *error)
{
	const struct rpf_chosen_hook *missing = hooks->refused.err ? &hooks->refused : &hooks->result;

	if (backend <= RPF_BACKEND_TRACEPOINT || !missing->err)
		return 0;
	return rpf_fail(error, missing->err, "E_NO_BACKEND", "this kernel does not take %s: %s",
			rpf_hook_name(missing->hook), strerror(-missing->err));
}

static int probe_btf(const struct btf *btf, const struct rpf_config *config, struct rpf_features *features,
		     struct rpf_hooks *hooks, struct rpf_error *error)
{
	int err = probe_arguments(btf, config->kfree_skb_arguments, features, error);

	if (err)
		return err;
	features->legacy = config->legacy || !has_helper(btf, "BPF_FUNC_loop");
	features->rdonly_cast = !config->probe_read && !features->legacy &&
				btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	/* libbpf tells it by the same helper, which came with v5.11 too. */
	features->counts_memlock = !has_helper(btf, "BPF_FUNC_ktime_get_coarse_ns");
	probe_reasons(btf, features);
	features->rpfilter_counter = features->rpfilter_reason ? 0 : rpf_counter_offset(btf);
	rpf_choose_hooks(btf, config->backend, features, hooks);
	return check_backend(config->backend, hooks, error);
}

int rpf_probe_features(const struct rpf_config *config, struct btf **btf, struct rpf_features *features,
		       struct rpf_hooks *hooks, struct rpf_error *error)
{
	int err = check_capabilities(error);

	if (err)
		return err;
	if (access(RPF_BTF_PATH, R_OK))
		return rpf_fail(error, -errno, "E_NO_BTF", "cannot read %s: %s", RPF_BTF_PATH, strerror(errno));
	*btf = rpf_kernel_btf();
	if (!*btf)
		return rpf_fail(error, -errno, "E_NO_BTF", "cannot parse %s: %s", RPF_BTF_PATH, strerror(errno));
	return probe_btf(*btf, config, features, hooks, error);
}

static bool lockdown_is_confidentiality(void)
{
	char text[128] = "";
	FILE *file = fopen(LOCKDOWN_PATH, "re");

	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	return strstr(text, "[confidentiality]") != NULL;
}

int rpf_explain_refusal(int err, const char *what, bool probe_read, struct rpf_error *error)
{
	/* The verifier calls a helper that lockdown forbids unknown: -EINVAL. */
	if ((err == -EPERM || err == -EINVAL) && probe_read && lockdown_is_confidentiality())
		return rpf_fail(error, err, "E_LOCKDOWN",
				"%s: the kernel is locked down (confidentiality) and has no bpf_rdonly_cast",
				what);
	if (err == -EPERM) /* -EACCES is the verifier's "no" to a program: ours to mend, not the user's to allow */
		return rpf_fail(error, err, "E_BPF_REFUSED", "%s: %s", what, strerror(-err));
	if (err == -EINVAL || err == -ENOTSUP || err == -ESRCH || err == -ENOENT)
		return rpf_fail(error, err, "E_KERNEL_TOO_OLD", "%s: %s", what, strerror(-err));
	return rpf_fail(error, err, "E_BPF_FAILED", "%s: %s", what, strerror(-err));
}
