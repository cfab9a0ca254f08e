/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPF_ERROR_H
#define RPF_ERROR_H

#include "rpf_core.h"

/* Fills error (NULL is allowed) and returns err, a negative errno. */
int rpf_fail(struct rpf_error *error, int err, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
