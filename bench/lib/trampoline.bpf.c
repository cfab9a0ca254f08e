// SPDX-License-Identifier: GPL-2.0
/*
 * Two congestion controls that do nothing, of which the second has an init: the kernel calls it through a trampoline as it does fentry programs
 * (kernel/bpf/bpf_struct_ops.c and arch_prepare_bpf_trampoline(), v6.18). trampoline.c takes the time.
 */
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct sock;

/* libbpf finds the kernel's members by these names. */
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	void (*init)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 ssthresh(void *context)
{
	return 2;
}

SEC("struct_ops/cong_avoid")
void cong_avoid(void *context)
{
}

SEC("struct_ops/undo_cwnd")
__u32 undo_cwnd(void *context)
{
	return 2;
}

SEC("struct_ops/init")
void init(void *context)
{
}

SEC(".struct_ops")
struct tcp_congestion_ops without_init = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "rpf_plain",
};

SEC(".struct_ops")
struct tcp_congestion_ops with_init = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.init = (void *)init,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "rpf_init",
};

char LICENSE[] SEC("license") = "GPL";
