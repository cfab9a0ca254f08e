/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries what this kernel and these privileges allow: loads a program that does nothing, attaches it, takes it away. What a
 * version or a configuration says is not asked.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rpf_internal.h"

#define KPROBE_TYPE "/sys/bus/event_source/devices/kprobe/type"
#define RING_BYTES 4096
#define KERNEL_ENOTSUPP \
	524 /* include/linux/errno.h: not meant for user space, and no libc has a name for it */

/* What all trials share. */
struct trials {
	struct btf *btf; /* NULL: not readable */
	int btf_err;
	void (*visit)(void *context, const struct rpf_trial *trial);
	void *context;
};

static const char NOTHING[] = "", FIND[] = "find", LOAD[] = "load", ATTACH[] = "attach";

static void tell(const struct trials *trials, const char *name, int err, const char *step, uint32_t detail)
{
	const struct rpf_trial trial = {
		.name = name,
		.err = err,
		.detail = detail,
		.step = err ? step : NOTHING,
	};

	trials->visit(trials->context, &trial);
}

#define INSN(op, dst, source, offset, immediate) \
	{ \
		.code = (op), .dst_reg = (dst), .src_reg = (source), .off = (offset), .imm = (immediate) \
	}
#define SET(reg, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define COPY(to, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define ADD(reg, value) INSN(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, value)
#define LOAD64(to, from, offset) INSN(BPF_LDX | BPF_MEM | BPF_DW, to, from, offset, 0)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define CALL_KFUNC(id) INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static const struct bpf_insn return_zero[] = { SET(BPF_REG_0, 0), EXIT() };
static const struct bpf_insn return_one[] = { SET(BPF_REG_0, 1), EXIT() };
static const struct bpf_insn ask_pid[] = { CALL(BPF_FUNC_get_current_pid_tgid), SET(BPF_REG_0, 1), EXIT() };
static const struct bpf_insn probe_read[] = {
	LOAD64(BPF_REG_3, BPF_REG_1, 0),
	COPY(BPF_REG_1, BPF_REG_10),
	ADD(BPF_REG_1, -8),
	SET(BPF_REG_2, 8),
	CALL(BPF_FUNC_probe_read_kernel),
	SET(BPF_REG_0, 0),
	EXIT(),
};

#define COUNT(insns) (sizeof(insns) / sizeof(*(insns)))

/* Returns a descriptor, or a negative errno. */
static int load(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id,
		const struct bpf_insn *insns, size_t count)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach, .attach_btf_id = btf_id);
	int fd = bpf_prog_load(type, "rpf_trial", "GPL", insns, count, &options);

	return fd < 0 ? -errno : fd;
}

/* tp_btf, fentry, fexit: attached by what the kernel's BTF calls them. */
static void try_tracing(const struct trials *trials, const char *name, enum bpf_attach_type type, int btf_id,
			const struct bpf_insn *insns, size_t count, uint32_t detail)
{
	int program, link;

	if (btf_id <= 0) {
		tell(trials, name, trials->btf ? -ENOENT : trials->btf_err, FIND, detail);
		return;
	}
	program = load(BPF_PROG_TYPE_TRACING, type, btf_id, insns, count);
	if (program < 0) {
		tell(trials, name, program, LOAD, detail);
		return;
	}
	link = bpf_raw_tracepoint_open(NULL, program);
	tell(trials, name, link < 0 ? rpf_attach_error() : 0, ATTACH, detail);
	if (link >= 0)
		close(link);
	close(program);
}

static int find(const struct trials *trials, const char *name, uint32_t kind)
{
	return trials->btf ? btf__find_by_name_kind(trials->btf, name, kind) : 0;
}

static void try_tracepoints(const struct trials *trials)
{
	int drop = trials->btf ? rpf_find_tracepoint(trials->btf, "kfree_skb") : 0,
	    lookup = trials->btf ? rpf_find_tracepoint(trials->btf, "fib_table_lookup") : 0,
	    cast = find(trials, "bpf_rdonly_cast", BTF_KIND_FUNC),
	    type = find(trials, "sk_buff", BTF_KIND_STRUCT),
	    arguments = trials->btf ? rpf_kfree_skb_arguments(trials->btf) : 0;
	const struct bpf_insn rdonly_cast[] = {
		LOAD64(BPF_REG_1, BPF_REG_1, 0),
		SET(BPF_REG_2, type),
		CALL_KFUNC(cast),
		SET(BPF_REG_0, 0),
		EXIT(),
	};

	try_tracing(trials, "tp_btf/kfree_skb", BPF_TRACE_RAW_TP, drop, return_zero, COUNT(return_zero),
		    arguments > 0 ? arguments : 0);
	try_tracing(trials, "bpf_rdonly_cast", BPF_TRACE_RAW_TP, cast > 0 ? drop : cast, rdonly_cast,
		    COUNT(rdonly_cast), 0);
	try_tracing(trials, "bpf_probe_read_kernel", BPF_TRACE_RAW_TP, drop, probe_read, COUNT(probe_read), 0);
	try_tracing(trials, "tp_btf/fib_table_lookup", BPF_TRACE_RAW_TP, lookup, return_zero,
		    COUNT(return_zero), 0);
}

/* Trampolines, where rpf_hooks.c attaches them. */
static void try_functions(const struct trials *trials)
{
	try_tracing(trials, "fentry/ip_handle_martian_source", BPF_TRACE_FENTRY,
		    find(trials, "ip_handle_martian_source", BTF_KIND_FUNC), return_zero, COUNT(return_zero), 0);
	try_tracing(trials, "fexit/ip_route_input_noref", BPF_TRACE_FEXIT,
		    find(trials, "ip_route_input_noref", BTF_KIND_FUNC), return_zero, COUNT(return_zero), 0);
	try_tracing(trials, "fexit/fib_validate_source", BPF_TRACE_FEXIT,
		    find(trials, "fib_validate_source", BTF_KIND_FUNC), return_zero, COUNT(return_zero), 0);
}

static int read_number(const char *path, uint32_t *number)
{
	char text[32];
	int err = rpf_read_line(AT_FDCWD, path, text, sizeof(text));

	if (!err)
		*number = strtoul(text, NULL, 10);
	return err;
}

static int attach_kprobe(int program, const char *function, bool at_return)
{
	struct perf_event_attr attribute = {
		.size = sizeof(attribute),
		.disabled = 1,
		.config = at_return, /* /sys/bus/event_source/devices/kprobe/format/retprobe */
	};
	int event, err = read_number(KPROBE_TYPE, &attribute.type);

	if (err)
		return err;
	attribute.config1 = (uintptr_t)function;
	event = syscall(SYS_perf_event_open, &attribute, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	err = ioctl(event, PERF_EVENT_IOC_SET_BPF, program) ? -errno : 0;
	close(event);
	return err;
}

int rpf_attach_error(void)
{
	return errno == KERNEL_ENOTSUPP ? -EOPNOTSUPP : -errno;
}

int rpf_try_kprobe(const char *function, bool at_return, const char **step)
{
	int program = load(BPF_PROG_TYPE_KPROBE, 0, 0, return_zero, COUNT(return_zero)), err;

	*step = program < 0 ? LOAD : ATTACH;
	if (program < 0)
		return program;
	err = attach_kprobe(program, function, at_return);
	close(program);
	return err;
}

static void try_kprobes(const struct trials *trials)
{
	const char *step;
	int err = rpf_try_kprobe("ip_handle_martian_source", false, &step);

	tell(trials, "kprobe/ip_handle_martian_source", err, step, 0);
	err = rpf_try_kprobe("fib_validate_source", true, &step);
	tell(trials, "kretprobe/fib_validate_source", err, step, 0);
}

/* Nothing is attached for the counter, but something has to see the refusals that it is read at. */
static void try_counter(const struct trials *trials)
{
	struct rpf_features features = { .rpfilter_counter = trials->btf ? rpf_counter_offset(trials->btf) : 0 };
	struct rpf_hooks hooks;

	if (!features.rpfilter_counter) {
		tell(trials, "counter/IPReversePathFilter", trials->btf ? -ENOENT : trials->btf_err, FIND, 0);
		return;
	}
	rpf_choose_hooks(trials->btf, RPF_BACKEND_AUTO, &features, &hooks);
	tell(trials, "counter/IPReversePathFilter", hooks.refused.err, ATTACH, 0);
}

static int attach_cgroup(int program)
{
	int root = rpf_cgroup_root(), link, err = 0;

	if (root < 0)
		return root;
	link = bpf_link_create(program, root, BPF_CGROUP_SYSCTL, NULL);
	if (link < 0)
		err = -errno;
	else
		close(link);
	close(root);
	return err;
}

/* The program allows every write, for the moment that it is there. */
static void try_sysctl(const struct trials *trials)
{
	int program = load(BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, 0, return_one, COUNT(return_one));

	if (program < 0) {
		tell(trials, "cgroup/sysctl", program, LOAD, 0);
	} else {
		tell(trials, "cgroup/sysctl", attach_cgroup(program), ATTACH, 0);
		close(program);
	}
	program = load(BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, 0, ask_pid, COUNT(ask_pid));
	tell(trials, "cgroup/sysctl pid", program < 0 ? program : 0, LOAD, 0);
	if (program >= 0)
		close(program);
}

static void try_ring(const struct trials *trials)
{
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "rpf_trial", 0, 0, RING_BYTES, NULL);

	tell(trials, "ringbuf", map < 0 ? -errno : 0, LOAD, 0);
	if (map >= 0)
		close(map);
}

static int join_netconf(struct mnl_socket *socket, void *context)
{
	int group = RTNLGRP_IPV4_NETCONF;

	(void)context;
	return mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ? -errno : 0;
}

static int ignore(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
	return 0;
}

void rpf_trials(void (*visit)(void *context, const struct rpf_trial *trial), void *context)
{
	struct trials trials = { .visit = visit, .context = context };
	libbpf_print_fn_t before = libbpf_set_print(ignore);

	trials.btf = rpf_kernel_btf();
	trials.btf_err = trials.btf ? 0 : -errno;
	tell(&trials, "btf", trials.btf_err, FIND, 0);
	try_tracepoints(&trials);
	try_ring(&trials);
	try_sysctl(&trials);
	try_functions(&trials);
	try_kprobes(&trials);
	try_counter(&trials);
	tell(&trials, "netlink", rpf_with_rtnetlink(join_netconf, NULL), ATTACH, 0);
	rpf_release_kernel_btf(trials.btf);
	libbpf_set_print(before);
}
