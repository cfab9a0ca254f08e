/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * What was executed lately. The kernel tells of a change of routes with the port of a netlink socket, which mostly is the number
 * of a process; ip(8) has ended before anybody could look.
 */
#ifndef RPF_EXEC_H
#define RPF_EXEC_H

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RPF_EXECS);
	__type(key, struct rpf_exec_key);
	__type(value, struct rpf_sysctl);
} execs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rpf_sysctl);
} exec_scratch SEC(".maps");

/* As the process itself knows it, and as its sockets are numbered. */
static __always_inline __u32 innermost_number(struct task_struct *task)
{
	/* Not through the typed pointer: up to v6.1 nothing of unknown size may be added to what that gives. */
	__u64 pid = (__u64)rpf_member(struct task_struct, task, thread_pid);
	__u32 level = pid ? rpf_member(struct pid, pid, level) : 0;

	return pid ? rpf_load32(pid + bpf_core_field_offset(struct pid, numbers) +
				level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr))
		   : 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(rpf_exec, struct task_struct *task)
{
	__u32 zero = 0;
	struct rpf_sysctl *record = bpf_map_lookup_elem(&exec_scratch, &zero);
	struct rpf_exec_key key = {};

	if (!record)
		return 0;
	__builtin_memset(record, 0, RPF_SYSCTL_CLEARED);
	record->header.size = sizeof(*record);
	record->header.kind = RPF_RECORD_SYSCTL;
	record->header.time_ns = bpf_ktime_get_ns();
	record->cgroup_id = bpf_get_current_cgroup_id();
	record->uid = bpf_get_current_uid_gid();
	fill_task(record);
	key.number = innermost_number(task);
	key.netns = record->netns;
	bpf_map_update_elem(&execs, &key, record, BPF_ANY);
	return 0;
}

#endif
