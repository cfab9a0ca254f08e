/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of reserving, submitting, discarding and draining, with batches of any length: every submitted record comes
 * out once, whole and in order, and nothing is written behind the batch (which ends where its allocation does).
 */
#include <string.h>

#include "check.h"
#include "fake_tracer.h"

#define RING_BYTES 4096
#define MAX_OPEN 16

struct model {
	struct rpf_tracer *tracer;
	struct rpf_drop *open[MAX_OPEN]; /* reserved, neither submitted nor discarded */
	uint32_t open_count;
	uint64_t numbers[RING_BYTES]; /* number of each reserved record, 0 when discarded, in order */
	uint32_t reserved;
	uint32_t drained;
};

static void reserve(struct model *model, uint8_t size)
{
	uint32_t bytes = sizeof(struct rpf_drop) + (size & ~7U);
	struct rpf_drop *drop;

	if (model->open_count == MAX_OPEN || model->reserved == RING_BYTES)
		return;
	drop = fake_reserve(model->tracer, bytes);
	if (!drop)
		return;
	memset(drop, 0, bytes);
	drop->header.size = bytes;
	drop->header.kind = RPF_RECORD_DROP;
	drop->count = 1;
	drop->skb = model->reserved + 1;
	drop->snap_bytes = size & ~7U;
	memset(drop + 1, drop->skb & 0xff, drop->snap_bytes);
	model->numbers[model->reserved++] = drop->skb;
	model->open[model->open_count++] = drop;
}

static void finish(struct model *model, uint8_t which, bool discard)
{
	struct rpf_drop *drop;

	if (!model->open_count)
		return;
	which %= model->open_count;
	drop = model->open[which];
	model->open[which] = model->open[--model->open_count];
	if (discard) {
		model->numbers[drop->skb - 1] = 0;
		fake_discard(model->tracer, drop);
		return;
	}
	fake_submit(model->tracer, drop);
}

static void require_next(struct model *model, const struct rpf_drop *drop)
{
	const unsigned char *snap = (const unsigned char *)(drop + 1);
	uint32_t i;

	while (!model->numbers[model->drained])
		model->drained++;
	REQUIRE(drop->skb == model->numbers[model->drained++]);
	for (i = 0; i < drop->snap_bytes; i++)
		REQUIRE(snap[i] == (drop->skb & 0xff));
}

static void drain(struct model *model, size_t room)
{
	size_t bytes = sizeof(struct rpf_batch) + room, at;
	unsigned char *batch = malloc(bytes);
	struct rpf_writer writer;
	uint64_t records = 0;

	REQUIRE(batch);
	rpf_writer_begin(&writer, batch, bytes);
	rpf_ring_mark(&model->tracer->ring);
	rpf_ring_drain(&model->tracer->ring, &writer);
	bytes = rpf_writer_finish(&writer);
	for (at = sizeof(struct rpf_batch); at < bytes; records++) {
		const struct rpf_drop *drop = (const void *)(batch + at);

		require_next(model, drop);
		at += drop->header.size;
	}
	REQUIRE(records == writer.records && records == writer.drops);
	free(batch);
}

static bool is_all_drained(const struct model *model)
{
	uint32_t i;

	for (i = model->drained; i < model->reserved; i++) {
		if (model->numbers[i])
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rpf_tracer *tracer; /* opening one takes longer than all the rest */
	struct model *model = calloc(1, sizeof(*model));
	size_t i;

	if (!tracer)
		tracer = fake_tracer_open(RING_BYTES);
	REQUIRE(model);
	model->tracer = tracer;
	atomic_store(tracer->ring.consumer, 0);
	atomic_store(tracer->ring.producer, 0);
	for (i = 0; i + 1 < size; i += 2) {
		switch (data[i] % 4) {
		case 0:
			reserve(model, data[i + 1]);
			break;
		case 1:
			finish(model, data[i + 1], false);
			break;
		case 2:
			finish(model, data[i + 1], true);
			break;
		case 3:
			drain(model, data[i + 1] * 8);
			break;
		}
	}
	while (model->open_count)
		finish(model, 0, false);
	drain(model, RING_BYTES);
	REQUIRE(is_all_drained(model));
	free(model);
	return 0;
}
