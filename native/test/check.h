/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions that say what they found and go on; main() ends with RPF_CHECK_RESULT. */
#ifndef RPF_CHECK_H
#define RPF_CHECK_H

#include <stdio.h>
#include <stdlib.h>

static int rpf_failures;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			rpf_failures++; \
		} \
	} while (0)

#define CHECK_EQUAL(found, expected) \
	do { \
		long long _found = (long long)(found), _expected = (long long)(expected); \
		if (_found != _expected) { \
			fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #found, \
				_found, _expected); \
			rpf_failures++; \
		} \
	} while (0)

/* For fuzz targets: stops at once, so that libFuzzer keeps the input. */
#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#define RPF_CHECK_RESULT (rpf_failures ? EXIT_FAILURE : EXIT_SUCCESS)

#endif
