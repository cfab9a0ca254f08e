/* SPDX-License-Identifier: Apache-2.0 */
/* native/bpf/cbpf.h driven as the probe drives it, beside libpcap's own interpreter. */
#ifndef RPF_TEST_CBPF_RUN_H
#define RPF_TEST_CBPF_RUN_H

#include <linux/types.h>
#include <pcap/pcap.h>
#include <string.h>

#include "cbpf.h"

_Static_assert(sizeof(struct rpf_cbpf_insn) == sizeof(struct bpf_insn), "the same instructions");

/* captured: at most RPF_CBPF_BYTES. */
static inline __u32 run_ours(const struct bpf_program *program, const __u8 *packet, __u32 captured, __u32 wire)
{
	const struct rpf_cbpf_insn *insns = (const struct rpf_cbpf_insn *)program->bf_insns;
	struct rpf_cbpf state;
	__u32 steps;

	memset(&state, 0, sizeof(state));
	memcpy(state.packet, packet, captured);
	state.captured = captured;
	state.wire = wire;
	for (steps = 0; steps < RPF_CBPF_MAX && state.pc < program->bf_len; steps++) {
		if (rpf_cbpf_step(&state, &insns[state.pc]))
			break;
	}
	return state.accept;
}

static inline __u32 run_libpcaps(const struct bpf_program *program, const __u8 *packet, __u32 captured, __u32 wire)
{
	return bpf_filter(program->bf_insns, packet, wire, captured);
}

#endif
