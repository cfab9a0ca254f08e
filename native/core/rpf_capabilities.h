/* SPDX-License-Identifier: Apache-2.0 */
/* What a process may do: sets of capabilities, bit n for capability n of linux/capability.h. */
#ifndef RPF_CAPABILITIES_H
#define RPF_CAPABILITIES_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38 /* v5.8, include/uapi/linux/capability.h */
#define CAP_BPF 39
#endif

#define RPF_CAPABILITY(number) (1ULL << (number))

/* Those in effect in the calling thread. -1: the kernel does not tell; then errno. */
int rpf_capabilities(uint64_t *effective);

/* Puts these of the permitted ones of the calling thread in effect, and no others. Negative errno. */
int rpf_set_effective(uint64_t effective);

#endif
