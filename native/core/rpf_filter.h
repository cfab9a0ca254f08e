/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from rpf_internal.h: the headers of libpcap and libbpf both define struct bpf_insn, so no file includes both. */
#ifndef RPF_FILTER_H
#define RPF_FILTER_H

#include <stdbool.h>

#include "cbpf.h"
#include "rpf_core.h"

/* Compiles expression into at most RPF_CBPF_MAX instructions. Returns their number. */
int rpf_filter_compile(const char *expression, struct rpf_cbpf_insn *insns, struct rpf_error *error);

/* Whether word stands in the expression as a token of its own. */
bool rpf_filter_has_word(const char *expression, const char *word);

#endif
