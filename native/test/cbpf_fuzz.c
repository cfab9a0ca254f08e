/* SPDX-License-Identifier: Apache-2.0 */
/* Any valid classic BPF program on any packet: our interpreter and libpcap's return the same. */
#include <stdint.h>

#include "cbpf_run.h"
#include "check.h"

#define MAX_BODY 40
#define INSN_BYTES 5

/* What bpf_validate() of libpcap knows. */
static const __u16 codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_IMM,
	BPF_LDX | BPF_MEM,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LDX | BPF_B | BPF_MSH,
	BPF_ST,
	BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_MOD | BPF_K,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_ALU | BPF_MOD | BPF_X,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_X,
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
};

/* left: instructions that follow; a jump stays among them, as bpf_validate() does not insist on but a filter must. */
static struct bpf_insn make_insn(const uint8_t *data, unsigned int left)
{
	struct bpf_insn insn = { .code = codes[data[0] % (sizeof(codes) / sizeof(*codes))] };
	__u32 k = data[3] | (__u32)data[4] << 8;

	if (BPF_CLASS(insn.code) == BPF_JMP) {
		insn.jt = data[1] % left;
		insn.jf = data[2] % left;
		insn.k = BPF_OP(insn.code) == BPF_JA ? k % left : k;
		return insn;
	}
	if (BPF_CLASS(insn.code) == BPF_ALU) {
		/* Small numbers and ones with high bits; never what C leaves undefined or bpf_validate() refuses. */
		insn.k = data[1] & 1 ? k : k << 16 | k;
		if (BPF_OP(insn.code) == BPF_LSH || BPF_OP(insn.code) == BPF_RSH)
			insn.k = k % 32;
		if ((BPF_OP(insn.code) == BPF_DIV || BPF_OP(insn.code) == BPF_MOD) && !insn.k)
			insn.k = 1;
		return insn;
	}
	insn.k = data[1] & 1 ? k % 300 : k << 16 | k;
	if (BPF_CLASS(insn.code) == BPF_ST || BPF_CLASS(insn.code) == BPF_STX || BPF_MODE(insn.code) == BPF_MEM)
		insn.k = k % BPF_MEMWORDS;
	return insn;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bpf_insn insns[BPF_MEMWORDS + MAX_BODY + 1];
	struct bpf_program program = { .bf_insns = insns };
	unsigned int body, i;
	__u32 captured, wire;

	if (size < 3)
		return 0;
	body = data[0] % MAX_BODY;
	if (body > (size - 3) / INSN_BYTES)
		body = (size - 3) / INSN_BYTES;
	wire = data[1] | (__u32)data[2] << 8;
	data += 3;
	size -= 3;

	/* libpcap does not clear its memory cells; filters write them before they read them. */
	for (i = 0; i < BPF_MEMWORDS; i++)
		insns[program.bf_len++] = (struct bpf_insn)BPF_STMT(BPF_ST, i);
	for (i = 0; i < body; i++)
		insns[program.bf_len++] = make_insn(data + i * INSN_BYTES, body - i);
	insns[program.bf_len++] = (struct bpf_insn)BPF_STMT(BPF_RET | BPF_A, 0);
	REQUIRE(bpf_validate(insns, program.bf_len));

	data += body * INSN_BYTES;
	size -= body * INSN_BYTES;
	captured = size > RPF_CBPF_BYTES ? RPF_CBPF_BYTES : size;
	REQUIRE(run_ours(&program, data, captured, wire) == run_libpcaps(&program, data, captured, wire));
	return 0;
}
