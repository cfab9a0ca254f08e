/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table while it is being written: one thread per CPU plays the probe, one drains. However they interleave, every
 * drop is in exactly one place: sent whole, refused by the table, or in the count of exactly one aggregate of its flow.
 */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "fake_tracer.h"

#define DROPS_PER_CPU 200000
#define FLOWS 3000 /* more than there are slots: flows wait for slots that fall idle */
#define BATCH_BYTES 4096

struct probe {
	struct rpf_tracer *tracer;
	uint32_t cpu;
	uint64_t counted[FLOWS];
	uint64_t fates[FAKE_REFUSED + 1];
};

static atomic_int probes_running;

static struct rpf_flow flow_of(uint32_t number)
{
	struct rpf_flow flow;

	memset(&flow, 0, sizeof(flow));
	flow.src_port = number;
	flow.reason = number % 7;
	return flow;
}

/* Bursts of one flow, as floods are; flows come and go, so that slots fall idle and are claimed anew. */
static void *run_probe(void *argument)
{
	struct probe *probe = argument;
	uint32_t state = probe->cpu + 1, i, left = 0, number = 0;

	for (i = 0; i < DROPS_PER_CPU; i++) {
		struct rpf_flow flow;
		enum fake_fate fate;

		if (!left--) {
			state ^= state << 13;
			state ^= state >> 17;
			state ^= state << 5;
			number = (state % 400 + i / 100) % FLOWS;
			left = state % 50;
		}
		flow = flow_of(number);
		fate = fake_count(probe->tracer, probe->cpu, &flow);
		probe->fates[fate]++;
		if (fate == FAKE_COUNTED)
			probe->counted[number]++;
	}
	atomic_fetch_sub(&probes_running, 1);
	return NULL;
}

static void take_batch(const unsigned char *batch, size_t bytes, uint64_t *drained)
{
	size_t at = sizeof(struct rpf_batch);

	while (at < bytes) {
		const struct rpf_drop *drop = (const void *)(batch + at);

		CHECK_EQUAL(drop->header.kind, RPF_RECORD_DROP);
		CHECK_EQUAL(drop->header.size, sizeof(*drop));
		CHECK(drop->detail.flags & RPF_AGGREGATE);
		CHECK(drop->count);
		CHECK(drop->first_ns <= drop->header.time_ns);
		CHECK_EQUAL(drop->flow.reason, drop->flow.src_port % 7); /* one flow's bytes, not two mixed */
		drained[drop->flow.src_port] += drop->count;
		at += drop->header.size;
	}
}

static void drain_once(struct rpf_tracer *tracer, uint64_t *drained)
{
	_Alignas(8) unsigned char batch[BATCH_BYTES];
	struct rpf_clock clock = fake_clock();
	struct rpf_writer writer;
	bool finished;

	rpf_flows_begin(&tracer->flows, &clock);
	do {
		rpf_writer_begin(&writer, batch, sizeof(batch));
		finished = rpf_flows_drain(&tracer->flows, &writer);
		take_batch(batch, rpf_writer_finish(&writer), drained);
	} while (!finished && !rpf_failures);
}

int main(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);
	static struct probe probes[FAKE_CPUS];
	static uint64_t drained[FLOWS];
	pthread_t threads[FAKE_CPUS];
	uint64_t whole = 0, refused = 0, counted = 0;
	uint32_t cpu, i;

	atomic_store(&probes_running, FAKE_CPUS);
	for (cpu = 0; cpu < FAKE_CPUS; cpu++) {
		probes[cpu] = (struct probe){ .tracer = tracer, .cpu = cpu };
		CHECK(!pthread_create(&threads[cpu], NULL, run_probe, &probes[cpu]));
	}
	while (atomic_load(&probes_running) && !rpf_failures)
		drain_once(tracer, drained);
	for (cpu = 0; cpu < FAKE_CPUS; cpu++)
		pthread_join(threads[cpu], NULL);
	drain_once(tracer, drained);

	for (i = 0; i < FLOWS; i++)
		CHECK_EQUAL(drained[i], probes[0].counted[i] + probes[1].counted[i]);
	for (cpu = 0; cpu < FAKE_CPUS; cpu++) {
		counted += probes[cpu].fates[FAKE_COUNTED];
		whole += probes[cpu].fates[FAKE_CLAIMED];
		refused += probes[cpu].fates[FAKE_REFUSED];
	}
	printf("%llu counted, %llu whole, %llu refused\n", (unsigned long long)counted,
	       (unsigned long long)whole, (unsigned long long)refused);
	CHECK(whole > FLOWS); /* slots were freed and claimed again */
	CHECK_EQUAL(counted + whole + refused, (uint64_t)FAKE_CPUS * DROPS_PER_CPU);
	fake_tracer_close(tracer);
	return RPF_CHECK_RESULT;
}
