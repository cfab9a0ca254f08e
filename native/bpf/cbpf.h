/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Runs a classic BPF filter, as libpcap compiles it from an expression, one instruction a step. In the kernel the steps
 * are driven by bpf_loop; the native tests drive the same steps and compare with libpcap's own bpf_filter().
 */
#ifndef RPF_CBPF_H
#define RPF_CBPF_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#ifndef rpf_inline
#define rpf_inline static inline __attribute__((always_inline))
#endif

#define RPF_CBPF_MAX 512 /* instructions; libpcap's answer to "host a or host b" grows by some 6 per name */
#define RPF_CBPF_BYTES \
	256 /* of a packet that a filter can see: Ethernet and every header we parse, with options */
#define RPF_CBPF_CELLS 16 /* BPF_MEMWORDS, include/uapi/linux/filter.h */

struct rpf_cbpf_insn { /* struct sock_filter, include/uapi/linux/filter.h */
	__u16 code;
	__u8 jt;
	__u8 jf;
	__u32 k;
};

struct rpf_cbpf {
	__u32 pc;
	__u32 a;
	__u32 x;
	__u32 accept;	/* the filter's return value; 0 = refused */
	__u32 captured; /* bytes of packet that are there, at most RPF_CBPF_BYTES */
	__u32 wire;	/* bytes that the whole packet has */
	__u32 cell[RPF_CBPF_CELLS];
	__u8 packet[RPF_CBPF_BYTES + 4]; /* 4 spare bytes, so that a masked word load never leaves it */
};

/* 1 = ok; 0 = outside of the captured bytes, which refuses the packet, as bpf_filter() does. */
rpf_inline int rpf_cbpf_load(struct rpf_cbpf *state, __u32 size, __u32 at, __u32 *value)
{
	__u32 bytes = size == 0x00 ? 4 : size == 0x08 ? 2 : 1;
	const __u8 *packet;

	if (at >= RPF_CBPF_BYTES || at + bytes > state->captured)
		return 0;
	at &= RPF_CBPF_BYTES - 1;
	packet = state->packet + at;
	if (size == 0x00)
		*value = (__u32)packet[0] << 24 | (__u32)packet[1] << 16 | (__u32)packet[2] << 8 | packet[3];
	else if (size == 0x08)
		*value = (__u32)packet[0] << 8 | packet[1];
	else
		*value = packet[0];
	return 1;
}

/* Runs one instruction. Returns 1 when the filter has ended, its result in state->accept. */
rpf_inline int rpf_cbpf_step(struct rpf_cbpf *state, const struct rpf_cbpf_insn *insn)
{
	__u32 k = insn->k, size = insn->code & 0x18, mode = insn->code & 0xe0, operand, value = 0;

	state->pc++;
	switch (insn->code & 0x07) {
	case 0x00:							    /* BPF_LD */
		if (mode == 0x20 && !rpf_cbpf_load(state, size, k, &value)) /* BPF_ABS */
			return 1;
		if (mode == 0x40) { /* BPF_IND */
			if (k + state->x < k || !rpf_cbpf_load(state, size, k + state->x, &value))
				return 1;
		}
		if (mode == 0x00) /* BPF_IMM */
			value = k;
		else if (mode == 0x60) /* BPF_MEM */
			value = state->cell[k & (RPF_CBPF_CELLS - 1)];
		else if (mode == 0x80) /* BPF_LEN */
			value = state->wire;
		state->a = value;
		return 0;
	case 0x01:		    /* BPF_LDX */
		if (mode == 0xa0) { /* BPF_MSH */
			if (!rpf_cbpf_load(state, 0x10, k, &value))
				return 1;
			value = (value & 15) << 2;
		} else if (mode == 0x00) {
			value = k;
		} else if (mode == 0x60) {
			value = state->cell[k & (RPF_CBPF_CELLS - 1)];
		} else if (mode == 0x80) {
			value = state->wire;
		}
		state->x = value;
		return 0;
	case 0x02: /* BPF_ST */
		state->cell[k & (RPF_CBPF_CELLS - 1)] = state->a;
		return 0;
	case 0x03: /* BPF_STX */
		state->cell[k & (RPF_CBPF_CELLS - 1)] = state->x;
		return 0;
	case 0x04: /* BPF_ALU */
		operand = insn->code & 0x08 ? state->x : k;
		switch (insn->code & 0xf0) {
		case 0x00:
			state->a += operand;
			return 0;
		case 0x10:
			state->a -= operand;
			return 0;
		case 0x20:
			state->a *= operand;
			return 0;
		case 0x30:
			if (!operand)
				return 1;
			state->a /= operand;
			return 0;
		case 0x40:
			state->a |= operand;
			return 0;
		case 0x50:
			state->a &= operand;
			return 0;
		case 0x60:
			state->a = operand < 32 ? state->a << operand : 0;
			return 0;
		case 0x70:
			state->a = operand < 32 ? state->a >> operand : 0;
			return 0;
		case 0x80:
			state->a = -state->a;
			return 0;
		case 0x90:
			if (!operand)
				return 1;
			state->a %= operand;
			return 0;
		case 0xa0:
			state->a ^= operand;
			return 0;
		}
		return 1;
	case 0x05: /* BPF_JMP */
		operand = insn->code & 0x08 ? state->x : k;
		switch (insn->code & 0xf0) {
		case 0x00:
			state->pc += k;
			return 0;
		case 0x10:
			state->pc += state->a == operand ? insn->jt : insn->jf;
			return 0;
		case 0x20:
			state->pc += state->a > operand ? insn->jt : insn->jf;
			return 0;
		case 0x30:
			state->pc += state->a >= operand ? insn->jt : insn->jf;
			return 0;
		case 0x40:
			state->pc += state->a & operand ? insn->jt : insn->jf;
			return 0;
		}
		return 1;
	case 0x06: /* BPF_RET */
		state->accept = (insn->code & 0x18) == 0x10 ? state->a : k;
		return 1;
	case 0x07: /* BPF_MISC */
		if (insn->code & 0x80)
			state->a = state->x; /* BPF_TXA */
		else
			state->x = state->a; /* BPF_TAX */
		return 0;
	}
	return 1;
}

#endif
