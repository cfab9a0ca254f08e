// SPDX-License-Identifier: Apache-2.0
/*
 * For LD_PRELOAD: the wall clock of one process, set forward and back by what the file $SOAK_CLOCK holds: 8 bytes, nanoseconds.
 * Nobody else's clock moves, and the monotonic clock does not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile int64_t *offset_ns;
static int (*real_clock_gettime)(clockid_t clock, struct timespec *now);

__attribute__((constructor)) static void open_clock(void)
{
	const char *path = getenv("SOAK_CLOCK");
	void *memory;
	int fd;

	real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(*offset_ns), PROT_READ, MAP_SHARED, fd, 0);
	if (memory != MAP_FAILED)
		offset_ns = memory;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int err = real_clock_gettime(clock, now);
	int64_t ns;

	if (err || clock != CLOCK_REALTIME || !offset_ns)
		return err;
	ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + *offset_ns;
	now->tv_sec = ns / 1000000000;
	now->tv_nsec = ns % 1000000000;
	return 0;
}

int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec exact;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &exact))
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}
