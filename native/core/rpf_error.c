/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "rpf_error.h"

int rpf_fail(struct rpf_error *error, int err, const char *code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return err;
	error->err = err;
	snprintf(error->code, sizeof(error->code), "%s", code);
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return err;
}
