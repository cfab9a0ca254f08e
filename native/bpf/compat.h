/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Kernel differences, all of them. The source is compiled twice:
 *
 *   as it is           bytes behind untyped addresses are read through bpf_rdonly_cast, a kfunc of v6.2 (a35b9af4ec2c).
 *                      Allowed under lockdown=confidentiality.
 *   -DRPF_PROBE_READ   the same bytes are read through bpf_probe_read_kernel, for kernels before that.
 *
 * Both return 0 for an address that faults. Typed pointers are read directly in both.
 */
#ifndef RPF_COMPAT_H
#define RPF_COMPAT_H

#include <linux/bpf.h>

#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

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

#else

/* As libbpf 1.5 declares it, so that both declarations may stand. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define rpf_cast(type, address) ((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))
#define rpf_load8(address) (rpf_cast(struct in6_addr, address)->in6_u.u6_addr8[0])
#define rpf_load16(address) (rpf_cast(struct in6_addr, address)->in6_u.u6_addr16[0])
#define rpf_load32(address) (rpf_cast(struct in6_addr, address)->in6_u.u6_addr32[0])
#define rpf_load64(address) ((__u64)rpf_cast(struct timespec64, address)->tv_sec)
#define rpf_member(type, address, member) (rpf_cast(type, address)->member)

#endif

#endif
