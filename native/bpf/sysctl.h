/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Who writes the settings that decide about a source address. Attached to the root of the cgroup v2 hierarchy, so that it
 * sees the writes of every process in every network namespace, before the kernel handles them
 * (proc_sys_call_handler(), fs/proc/proc_sysctl.c, v6.18).
 */
#ifndef RPF_SYSCTL_H
#define RPF_SYSCTL_H

/* Of args only what args_bytes counts is read; and clang clears no more than 1024 bytes without a loop. */
#define RPF_SYSCTL_CLEARED __builtin_offsetof(struct rpf_sysctl, args)
#define IPV4_PREFIX 0x347670692f74656eULL /* "net/ipv4" */

/* Base names as two words each: compared without a loop. */
struct base_name {
	__u64 word[2];
};

static __always_inline bool is_base(const __u64 *name, __u64 first, __u64 second)
{
	return name[0] == first && name[1] == second;
}

#define WORD(a, b, c, d, e, f, g, h) \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

static __always_inline bool decides(const __u64 *base)
{
	return is_base(base, WORD('r', 'p', '_', 'f', 'i', 'l', 't', 'e'), 'r') ||
	       is_base(base, WORD('a', 'c', 'c', 'e', 'p', 't', '_', 'l'), WORD('o', 'c', 'a', 'l', 0, 0, 0, 0)) ||
	       is_base(base, WORD('s', 'r', 'c', '_', 'v', 'a', 'l', 'i'),
		       WORD('d', '_', 'm', 'a', 'r', 'k', 0, 0)) ||
	       is_base(base, WORD('r', 'o', 'u', 't', 'e', '_', 'l', 'o'),
		       WORD('c', 'a', 'l', 'n', 'e', 't', 0, 0)) ||
	       is_base(base, WORD('f', 'o', 'r', 'w', 'a', 'r', 'd', 'i'), WORD('n', 'g', 0, 0, 0, 0, 0, 0)) ||
	       is_base(base, WORD('i', 'p', '_', 'f', 'o', 'r', 'w', 'a'), WORD('r', 'd', 0, 0, 0, 0, 0, 0)) ||
	       is_base(base, WORD('l', 'o', 'g', '_', 'm', 'a', 'r', 't'), WORD('i', 'a', 'n', 's', 0, 0, 0, 0));
}

static __always_inline void fill_args(struct rpf_sysctl *record, struct mm_struct *mm)
{
	__u64 start = rpf_member(struct mm_struct, mm, arg_start),
	      end = rpf_member(struct mm_struct, mm, arg_end);
	__u64 bytes = end - start;

	if (bytes > RPF_ARGS_BYTES) {
		record->flags |= RPF_SYSCTL_ARGS_CUT;
		bytes = RPF_ARGS_BYTES;
	}
	if (start < end && !bpf_probe_read_user(record->args, bytes, (void *)start))
		record->args_bytes = bytes;
}

/* Sets `cut` in the flags where there is no room for all of it. */
static __always_inline void copy_letters(char *to, __u64 from, int bytes, __u32 *flags, __u32 cut)
{
	int i;

	for (i = 0; i < bytes; i++) {
		char letter = rpf_load8(from + i);

		if (!letter)
			return;
		if (i == bytes - 1) {
			*flags |= cut;
			return;
		}
		to[i] = letter;
	}
}

#ifdef RPF_PROBE_READ

/* Before 6.2 the verifier gives no record of a ring to a global function. */
#define copy_text copy_letters

#else

/* Room for a part of a path: as much as each has in the record, the members behind it included. */
struct text {
	char at[RPF_CGROUP_PART_BYTES];
};

/* In line it is seven of eight instructions that the verifier looks at, since it does so for each part of each path. */
rpf_function int copy_part(struct text *to, const __u64 *from, int bytes)
{
	__u32 is_cut = 0;

	if (!to || !from || bytes > (int)sizeof(to->at))
		return 0;
	copy_letters(to->at, *from, bytes, &is_cut, 1);
	return is_cut;
}

static __always_inline void copy_text(char *to, __u64 from, int bytes, __u32 *flags, __u32 cut)
{
	if (copy_part((struct text *)to, &from, bytes))
		*flags |= cut;
}

#endif

static __always_inline void fill_exe(struct rpf_sysctl *record, struct mm_struct *mm)
{
	struct file *file = rpf_member(struct mm_struct, mm, exe_file);
	struct dentry *dentry, *parent;
	int i;

	if (!file)
		return;
	dentry = rpf_member(struct file, file, f_path.dentry);
	for (i = 0; i < RPF_EXE_PARTS && dentry; i++) {
		parent = rpf_member(struct dentry, dentry, d_parent);
		if (parent == dentry)
			return; /* the root of the file system, or of the mount's */
		copy_text(record->exe + i * RPF_EXE_PART_BYTES,
			  (__u64)rpf_member(struct dentry, dentry, d_name.name), RPF_EXE_PART_BYTES,
			  &record->flags, RPF_SYSCTL_EXE_CUT);
		record->exe_parts = i + 1;
		dentry = parent;
	}
	record->flags |= RPF_SYSCTL_EXE_CUT;
}

/* The number of a cgroup says nothing once it is gone, and a unit that only writes settings is gone at once. */
static __always_inline void fill_cgroup(struct rpf_sysctl *record, struct task_struct *task)
{
	struct css_set *set = rpf_member(struct task_struct, task, cgroups);
	struct cgroup *cgroup = set ? rpf_member(struct css_set, set, dfl_cgrp) : NULL;
	int i;

	for (i = 0; i < RPF_CGROUP_PARTS && cgroup; i++) {
		struct cgroup_subsys_state *parent = rpf_member(struct cgroup, cgroup, self.parent);
		struct kernfs_node *node = rpf_member(struct cgroup, cgroup, kn);

		if (!parent || !node)
			return; /* the root has no name */
		copy_text(record->cgroup + i * RPF_CGROUP_PART_BYTES,
			  (__u64)rpf_member(struct kernfs_node, node, name), RPF_CGROUP_PART_BYTES,
			  &record->flags, RPF_SYSCTL_CGROUP_CUT);
		record->cgroup_parts = i + 1;
		cgroup = rpf_member(struct cgroup_subsys_state, parent, cgroup);
	}
	if (cgroup && rpf_member(struct cgroup, cgroup, self.parent))
		record->flags |= RPF_SYSCTL_CGROUP_CUT;
}

static __always_inline void copy_comm(char *to, __u64 from)
{
	__u32 *word = (__u32 *)to;

	word[0] = rpf_load32(from);
	word[1] = rpf_load32(from + 4);
	word[2] = rpf_load32(from + 8);
	word[3] = rpf_load32(from + 12);
}

static __always_inline void fill_parents(struct rpf_sysctl *record, struct task_struct *task)
{
	int i;

	for (i = 0; i < RPF_PARENTS; i++) {
		struct task_struct *parent = rpf_member(struct task_struct, task, real_parent);
		__u32 pid;

		if (!parent || parent == task)
			return;
		pid = rpf_member(struct task_struct, parent, tgid);
		if (!pid)
			return; /* the idle task: init has no parent to speak of */
		record->parent_pid[i] = pid;
		copy_comm(record->parent_comm + i * RPF_NAME_BYTES,
			  (__u64)parent + bpf_core_field_offset(struct task_struct, comm));
		record->parents = i + 1;
		task = parent;
	}
}

static __always_inline void fill_task(struct rpf_sysctl *record)
{
	struct task_struct *task = rpf_current_task();
	struct mm_struct *mm = rpf_member(struct task_struct, task, mm);
	struct nsproxy *nsproxy = rpf_member(struct task_struct, task, nsproxy);
	struct net *net = nsproxy ? rpf_member(struct nsproxy, nsproxy, net_ns) : NULL;

	/* Not by the helpers: programs of cgroups have none for these in v5.10. */
	record->pid = rpf_member(struct task_struct, task, tgid);
	copy_comm(record->comm, (__u64)task + bpf_core_field_offset(struct task_struct, comm));
	if (net) {
		record->netns = rpf_member(struct net, net, ns.inum);
		record->netns_cookie = rpf_cookie_of(net);
	}
	fill_parents(record, task);
	fill_cgroup(record, task);
	if (!mm)
		return;
	fill_args(record, mm);
	fill_exe(record, mm);
}

SEC("cgroup/sysctl")
int rpf_sysctl(struct bpf_sysctl *ctx)
{
	__u64 base[2] = {};
	struct rpf_sysctl *record;

	if (!ctx->write || bpf_sysctl_get_name(ctx, (char *)base, sizeof(base), BPF_F_SYSCTL_BASE_NAME) < 0 ||
	    !decides(base))
		return 1;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		rpf_add(&control.sysctl_lost, 1);
		return 1;
	}
	__builtin_memset(record, 0, RPF_SYSCTL_CLEARED);
	record->header.size = sizeof(*record);
	record->header.kind = RPF_RECORD_SYSCTL;
	record->header.time_ns = bpf_ktime_get_ns();
	record->position = ctx->file_pos;
	record->cgroup_id = bpf_get_current_cgroup_id();
	record->uid = bpf_get_current_uid_gid();
	bpf_sysctl_get_name(ctx, record->name, sizeof(record->name), 0);
	if (bpf_sysctl_get_current_value(ctx, record->old_value, sizeof(record->old_value)) < 0)
		record->flags |= RPF_SYSCTL_OLD_UNKNOWN;
	bpf_sysctl_get_new_value(ctx, record->new_value, sizeof(record->new_value));
	fill_task(record);
	if (*(__u64 *)record->name != IPV4_PREFIX) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 1;
	}
	bpf_ringbuf_submit(record, wake_flags());
	return 1;
}

#endif
