/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the counts out of the flow table. The rules that both sides keep stand in native/include/rpf_maps.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rpf_internal.h"

int rpf_flows_init(struct rpf_flows *flows, struct rpf_slot *slots, uint32_t slot_count, uint32_t slots_per_cpu)
{
	struct timespec tick = { 0 };

	*flows = (struct rpf_flows){
		.slots = slots,
		.slot_count = slot_count,
		.slots_per_cpu = slots_per_cpu,
		.next = slot_count,
		.late_counts = flows->late_counts,
	};
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick); /* TICK_NSEC, kernel/time/posix-timers.c */
	flows->tick_ns = tick.tv_nsec;
	flows->age = calloc(slot_count, 1);
	return flows->age ? 0 : -ENOMEM;
}

void rpf_flows_free(struct rpf_flows *flows)
{
	free(flows->age);
	flows->age = NULL;
}

void rpf_flows_begin(struct rpf_flows *flows, const struct rpf_clock *clock)
{
	flows->clock = *clock;
	flows->next = 0;
	flows->live = 0;
}

/* Exact to a tick. A count may be younger than the drain's clock. */
static uint64_t time_of(const struct rpf_flows *flows, uint64_t jiffies)
{
	if (jiffies >= flows->clock.jiffies)
		return flows->clock.time_ns;
	return flows->clock.time_ns - (flows->clock.jiffies - jiffies) * flows->tick_ns;
}

static void write_aggregate(const struct rpf_flows *flows, uint32_t index, uint64_t count, struct rpf_drop *record)
{
	const struct rpf_slot *slot = &flows->slots[index];

	memset(record, 0, sizeof(*record));
	record->header.size = sizeof(*record);
	record->header.kind = RPF_RECORD_DROP;
	record->header.time_ns = time_of(flows, __atomic_load_n(&slot->last_jiffies, __ATOMIC_RELAXED));
	record->first_ns = time_of(flows, __atomic_load_n(&slot->first_jiffies, __ATOMIC_RELAXED));
	record->count = count;
	record->cpu = index / flows->slots_per_cpu;
	record->flow = slot->flow;
	record->detail = slot->detail;
	record->detail.flags |= RPF_AGGREGATE;
}

/* The word of a slot that is given up. */
static uint64_t freed(const struct rpf_flows *flows, uint64_t word)
{
	return (word & RPF_SLOT_GENERATION_MASK) | (flows->late_counts ? RPF_SLOT_DYING : 0);
}

/* Takes the slot's count, and the slot itself when it has lived long enough. false: a drop was counted meanwhile. */
static bool take(struct rpf_flows *flows, uint64_t word, struct rpf_drop *record)
{
	_Atomic uint64_t *shared = (_Atomic uint64_t *)&flows->slots[flows->next].word;
	bool is_old = flows->age[flows->next] >= RPF_SLOT_INTERVALS;
	bool is_dying = word & RPF_SLOT_DYING;
	uint64_t left = is_dying ? word & RPF_SLOT_GENERATION_MASK
				 : (is_old ? freed(flows, word) : word & ~RPF_SLOT_COUNT_MASK);

	/* Copied before the swap: the word is unchanged after it, so flow and detail were too. */
	write_aggregate(flows, flows->next, word & RPF_SLOT_COUNT_MASK, record);
	return atomic_compare_exchange_strong(shared, &word, left);
}

bool rpf_flows_drain(struct rpf_flows *flows, struct rpf_writer *writer)
{
	if (flows->next == flows->slot_count)
		return true;
	for (; flows->next < flows->slot_count; flows->next++) {
		_Atomic uint64_t *shared = (_Atomic uint64_t *)&flows->slots[flows->next].word;
		uint64_t word = atomic_load_explicit(shared, memory_order_acquire);
		uint8_t *age = &flows->age[flows->next];
		struct rpf_drop *record;

		if (!(word & (RPF_SLOT_LIVE | RPF_SLOT_DYING))) {
			*age = 0;
			continue;
		}
		if (word & RPF_SLOT_DYING && !(word & RPF_SLOT_COUNT_MASK)) {
			atomic_store(shared, word & RPF_SLOT_GENERATION_MASK); /* an interval ago: nobody is at it */
			*age = 0;
			continue;
		}
		if (!(word & RPF_SLOT_COUNT_MASK)) {
			flows->live++;
			/* A slot that was claimed within this interval has not been idle for a whole one yet. */
			if (*age && atomic_compare_exchange_strong(shared, &word, freed(flows, word)))
				*age = 0;
			else
				*age = 1;
			continue;
		}
		record = rpf_writer_reserve(writer, sizeof(*record));
		if (!record)
			return false; /* the slot comes again with the next call */
		while (!take(flows, word, record))
			word = atomic_load_explicit(shared, memory_order_acquire);
		*age = *age >= RPF_SLOT_INTERVALS ? 0 : *age + 1;
		flows->live++;
		writer->drops += record->count;
		writer->records++;
	}
	flows->live_before = flows->live;
	return true;
}
