/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "rpf_internal.h"

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t rpf_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void *rpf_writer_reserve(struct rpf_writer *writer, size_t bytes)
{
	void *record = writer->at;

	if (bytes > (size_t)(writer->end - writer->at))
		return NULL;
	writer->at += bytes;
	return record;
}

void rpf_writer_begin(struct rpf_writer *writer, void *buffer, size_t bytes)
{
	struct rpf_batch *batch;

	*writer = (struct rpf_writer){ .start = buffer, .at = buffer, .end = (unsigned char *)buffer + bytes };
	batch = rpf_writer_reserve(writer, sizeof(*batch));
	batch->header.size = sizeof(*batch);
	batch->header.kind = RPF_RECORD_BATCH;
	batch->header.time_ns = rpf_now_ns();
	batch->wall_offset_ns = (int64_t)(read_clock(CLOCK_REALTIME) - batch->header.time_ns);
}

size_t rpf_writer_finish(const struct rpf_writer *writer)
{
	size_t bytes = writer->at - writer->start;

	return bytes > sizeof(struct rpf_batch) ? bytes : 0;
}
