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
	int id = btf__find_by_name_kind(btf, "btf_trace_kfree_skb", BTF_KIND_TYPEDEF);
	const struct btf_type *type;

	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type); /* typedef -> pointer */
	type = btf__type_by_id(btf, type->type);		     /* pointer -> prototype */
	if (!btf_is_func_proto(type))
		return -ENOENT;
	return btf_vlen(type) - 1; /* the first is the tracepoint's own void * */
}

static bool has_value(const struct btf *btf, const char *enumeration, const char *name)
{
	int id = btf__find_by_name_kind(btf, enumeration, BTF_KIND_ENUM);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	int i;

	for (i = 0; type && i < btf_vlen(type); i++) {
		if (!strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name))
			return true;
	}
	return false;
}

bool rpf_has_reason(const struct btf *btf, const char *name)
{
	return has_value(btf, "skb_drop_reason", name);
}

static bool has_helper(const struct btf *btf, const char *name)
{
	return has_value(btf, "bpf_func_id", name);
}

/* What was asked for by name is there, or we say why not. */
static int check_backend(enum rpf_backend backend, const struct rpf_hooks *hooks, struct rpf_error *error)
{
	int err = hooks->refused.err ? hooks->refused.err : hooks->result.err;

	if (backend != RPF_BACKEND_TRAMPOLINE || !err)
		return 0;
	return rpf_explain_refusal(err, "trampolines at the functions that refuse sources", false, error);
}

int rpf_probe_features(enum rpf_backend backend, struct rpf_features *features, struct rpf_hooks *hooks,
		       struct rpf_error *error)
{
	int err = check_capabilities(error), arguments;
	struct btf *btf;

	if (err)
		return err;
	if (access(RPF_BTF_PATH, R_OK))
		return rpf_fail(error, -errno, "E_NO_BTF", "cannot read %s: %s", RPF_BTF_PATH, strerror(errno));
	btf = btf__parse(RPF_BTF_PATH, NULL);
	if (!btf)
		return rpf_fail(error, -errno, "E_NO_BTF", "cannot parse %s: %s", RPF_BTF_PATH, strerror(errno));
	arguments = rpf_kfree_skb_arguments(btf);
	features->rdonly_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	features->legacy = !has_helper(btf, "BPF_FUNC_loop");
	features->rpfilter_reason = rpf_has_reason(btf, "SKB_DROP_REASON_IP_RPFILTER");
	features->source_reasons = rpf_has_reason(btf, "SKB_DROP_REASON_IP_LOCAL_SOURCE");
	rpf_choose_hooks(btf, backend, hooks);
	btf__free(btf);
	if (arguments < 2)
		return rpf_fail(error, -ENOENT, "E_KERNEL_TOO_OLD",
				"this kernel has no BTF for tracepoint kfree_skb");
	/* A kernel that appends arguments keeps the first ones where they are. */
	features->kfree_skb_arguments = arguments > 4 ? 4 : arguments;
	return check_backend(backend, hooks, error);
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
