/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Kernel differences, all of them. The source is compiled three times:
 *
 *   as it is           bytes behind untyped addresses are read through bpf_rdonly_cast, a kfunc of v6.2 (a35b9af4ec2c).
 *                      Allowed under lockdown=confidentiality.
 *   -DRPF_PROBE_READ   the same bytes are read through bpf_probe_read_kernel, for kernels before that.
 *   -DRPF_LEGACY       besides, without what came after v5.10: atomic operations that return a value and global
 *                      functions that take pointers (v5.12), bpf_get_current_task_btf (v5.11), bpf_snprintf (v5.13),
 *                      namespace cookies from the start (v5.12), bpf_loop (v5.17).
 *
 * All return 0 for an address that faults. Typed pointers are read directly in all.
 */
#ifndef RPF_COMPAT_H
#define RPF_COMPAT_H

#include <linux/bpf.h>

#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

/*
 * A locked addition whose result nobody wants. Of __sync_fetch_and_add() newer compilers (clang 23 does) make the instruction that
 * returns one, which came with v5.12. The compiler moves nothing across it.
 */
#define rpf_add(word, value) \
	({ \
		asm volatile("" ::: "memory"); \
		__atomic_fetch_add(word, value, __ATOMIC_RELAXED); \
		asm volatile("" ::: "memory"); \
	})

#ifdef RPF_LEGACY

#define rpf_function static __noinline
#define rpf_netns_cookie(net) 0
#define rpf_cookie_of(address) 0
#define rpf_current_task() ((struct task_struct *)bpf_get_current_task())

/*
 * What is shared with the reader, without atomic operations that return a value. Flow slots belong to one CPU, and a run
 * that interrupts another does not touch them (count_alone()), so that nobody but the reader meets us there; it waits for
 * an interval before it takes a slot for free (native/core/rpf_flows.c). A locked addition is a full barrier on x86.
 */
__u64 rpf_fence SEC(".data.fence");

static __always_inline void rpf_barrier(void)
{
	rpf_add(&rpf_fence, 1);
}

static __always_inline bool rpf_take_word(__u64 *word, __u64 old, __u64 new)
{
	*(volatile __u64 *)word = new;
	rpf_barrier();
	return true;
}

static __always_inline bool rpf_count_word(__u64 *word, __u64 old)
{
	rpf_add(word, 1);
	return true;
}

static __always_inline void rpf_publish_word(__u64 *word, __u64 value)
{
	rpf_barrier();
	*(volatile __u64 *)word = value;
}

static __always_inline __u32 rpf_read_flag(__u32 *flag)
{
	rpf_barrier();
	return *(volatile __u32 *)flag;
}

static __always_inline void rpf_raise_flag(__u32 *flag)
{
	rpf_barrier();
	*(volatile __u32 *)flag = 1;
}

#else

#define rpf_function __noinline
#define rpf_netns_cookie(net) ((net)->net_cookie)
#define rpf_cookie_of(address) rpf_member(struct net, address, net_cookie)
#define rpf_current_task() bpf_get_current_task_btf()

static __always_inline bool rpf_take_word(__u64 *word, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(word, old, new) == old;
}

static __always_inline bool rpf_count_word(__u64 *word, __u64 old)
{
	return __sync_val_compare_and_swap(word, old, old + 1) == old;
}

static __always_inline void rpf_publish_word(__u64 *word, __u64 value)
{
	__sync_lock_test_and_set(word, value);
}

/* A full barrier before it. */
static __always_inline __u32 rpf_read_flag(__u32 *flag)
{
	return __sync_fetch_and_add(flag, 0);
}

static __always_inline void rpf_raise_flag(__u32 *flag)
{
	__sync_lock_test_and_set(flag, 1);
}

#endif

#ifdef RPF_PROBE_READ

#define rpf_load(type, address) \
	({ \
		type _value = 0; \
		bpf_probe_read_kernel(&_value, sizeof(_value), (void *)(address)); \
		_value; \
	})
#define rpf_load8(address) rpf_load(__u8, address)
#define rpf_load16(address) rpf_load(__u16, address)
#define rpf_load32(address) rpf_load(__u32, address)
#define rpf_load64(address) rpf_load(__u64, address)
/* The address goes through a variable: inside of BPF_CORE_READ its own member accesses would be relocated too. */
#define rpf_member(type, address, member) \
	({ \
		type *_base = (type *)(address); \
		BPF_CORE_READ(_base, member); \
	})
#define rpf_loose(type, pointer) (pointer)

#else

/* As libbpf 1.5 declares it, so that both declarations may stand. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define rpf_cast(type, address) ((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))
#define rpf_load8(address) (rpf_cast(struct in6_addr, address)->in6_u.u6_addr8[0])
#define rpf_load16(address) (rpf_cast(struct in6_addr, address)->in6_u.u6_addr16[0])
#define rpf_load32(address) (rpf_cast(struct in6_addr, address)->in6_u.u6_addr32[0])
#define rpf_load64(address) ((__u64)rpf_cast(struct timespec64, address)->tv_sec)
#define rpf_member(type, address, member) (rpf_cast(type, address)->member)
/*
 * An argument of a tracepoint, for a member that is a pointer itself. Of each one that the verifier sees read through the argument
 * as it is, it asks whether it may be trusted too: up to four searches by name through all of the kernel's BTF
 * (btf_nested_type_is_trusted(), kernel/bpf/btf.c, v6.18), 1 ms each time.
 */
#define rpf_loose(type, pointer) rpf_cast(type, pointer)

#endif

#define TCP_TIME_WAIT 6 /* include/net/tcp_states.h */
#define TCP_NEW_SYN_RECV 12

/*
 * Id of the cgroup v2 that a socket was made in; 0 = unknown. Sockets in these two states are smaller structs without it
 * (sk_fullsock(), include/net/sock.h). Up to v5.14 it shared its place with what net_cls and net_prio of cgroup v1 store,
 * marked by the lowest two bits (8520e224f547).
 */
static __always_inline __u64 rpf_socket_cgroup(struct sock *sk)
{
	unsigned char state = sk->__sk_common.skc_state;
	struct cgroup *cgroup;
	__u64 packed;

	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return 0;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = sk->sk_cgrp_data.cgroup;
		return cgroup ? cgroup->kn->id : 0;
	}
	if (!bpf_core_field_exists(struct sock_cgroup_data___packed, val))
		return 0; /* CONFIG_SOCK_CGROUP_DATA is not set */
	packed = rpf_load64((__u64)sk + bpf_core_field_offset(struct sock, sk_cgrp_data));
	if (!packed || packed & 3)
		return 0;
	return rpf_member(struct kernfs_node, rpf_member(struct cgroup, packed, kn), id);
}

/*
 * What a kprobe gets are registers, at offsets that user space relies on too: struct pt_regs of x86-64
 * (arch/x86/include/uapi/asm/ptrace.h), struct user_pt_regs of arm64. In assembler, because the compiler would make one load
 * at an offset in a variable out of two, which the verifier refuses.
 */
#define rpf_register(registers, offset) \
	({ \
		__u64 _value; \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(_value) : "r"(registers), "i"(offset)); \
		_value; \
	})
#define rpf_is_x86() bpf_core_field_exists(((struct pt_regs___x86 *)0)->di)
#define rpf_register_of(registers, x86, arm64) \
	(rpf_is_x86() ? rpf_register(registers, x86) : rpf_register(registers, arm64))

/* The arguments of the function that a kprobe stands at, and the result where a kretprobe does. */
#define rpf_argument_1(registers) rpf_register_of(registers, 112, 0)
#define rpf_argument_3(registers) rpf_register_of(registers, 96, 16)
#define rpf_argument_4(registers) rpf_register_of(registers, 88, 24)
#define rpf_argument_5(registers) rpf_register_of(registers, 72, 32)
#define rpf_result(registers) rpf_register_of(registers, 80, 0)

#endif
