/* SPDX-License-Identifier: Apache-2.0 */
/* rpf_poll(): whole records in order, whatever the buffer; waiting, waking, and the last drain after detaching. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "fake_tracer.h"

#define SHORTEST (1 << 16) /* what rpf_poll() insists on */
#define RING_BYTES (1 << 20)
#define SECONDS 1000000000ULL

static _Alignas(8) unsigned char buffer[SHORTEST];

struct seen {
	uint64_t records;
	uint64_t count; /* drops that they stand for */
	uint64_t next;	/* number of the next record that was sent whole */
};

static void take_drop(const struct rpf_drop *drop, struct seen *seen)
{
	const unsigned char *snap = (const unsigned char *)(drop + 1);
	uint32_t i;

	seen->records++;
	seen->count += drop->count;
	if (drop->detail.flags & RPF_AGGREGATE)
		return;
	CHECK_EQUAL(drop->skb, seen->next++);
	for (i = 0; i < drop->snap_bytes; i++)
		CHECK_EQUAL(snap[i], drop->skb & 0xff);
}

/* Polls once and looks at every record of the batch. */
static long poll_once(struct rpf_tracer *tracer, int timeout_ms, struct seen *seen)
{
	long bytes = rpf_poll(tracer, buffer, sizeof(buffer), timeout_ms), at = 0;
	const struct rpf_header *header = (const void *)buffer;

	CHECK(bytes >= 0 && bytes <= (long)sizeof(buffer));
	if (bytes > 0)
		CHECK(header->kind == RPF_RECORD_BATCH && header->size == sizeof(struct rpf_batch));
	while (at < bytes) {
		header = (const void *)(buffer + at);
		CHECK(header->size >= sizeof(*header) && header->size % 8 == 0 && at + header->size <= bytes);
		CHECK(header->kind == (at ? RPF_RECORD_DROP : RPF_RECORD_BATCH));
		if (at)
			take_drop((const void *)header, seen);
		if (rpf_failures)
			exit(EXIT_FAILURE); /* the rest of the batch cannot be walked */
		at += header->size;
	}
	return bytes;
}

static void splits_what_does_not_fit(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	struct seen seen = { 0 };
	struct rpf_stats stats = { 0 };
	uint64_t sent = 0;
	int batches = 0;

	while (fake_send(tracer, sent, sent % 100))
		sent++;
	while (seen.records < sent && poll_once(tracer, 0, &seen))
		batches++;
	CHECK_EQUAL(seen.records, sent);
	CHECK(batches >= RING_BYTES / SHORTEST);
	CHECK_EQUAL(poll_once(tracer, 0, &seen), 0);
	rpf_stats(tracer, &stats);
	CHECK_EQUAL(atomic_load(&tracer->delivered), sent);
	CHECK_EQUAL(atomic_load(&tracer->records), sent);
	fake_tracer_close(tracer);
}

static void goes_round_the_ring(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);
	struct seen seen = { 0 };
	uint64_t sent = 0;
	int rounds;

	for (rounds = 0; rounds < 50; rounds++) {
		while (fake_send(tracer, sent, sent % 333))
			sent++;
		while (poll_once(tracer, 0, &seen))
			;
	}
	CHECK_EQUAL(seen.records, sent);
	fake_tracer_close(tracer);
}

static void waits_for_records_that_are_being_written(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);
	struct seen seen = { 0 };
	struct rpf_drop *first;

	first = fake_reserve(tracer, sizeof(*first));
	memset(first, 0, sizeof(*first));
	first->header.size = sizeof(*first);
	first->header.kind = RPF_RECORD_DROP;
	first->count = 1;
	CHECK(fake_send(tracer, 1, 0));
	CHECK_EQUAL(poll_once(tracer, 0, &seen), 0);
	fake_submit(tracer, first);
	fake_discard(tracer, fake_reserve(tracer, 100));
	CHECK(fake_send(tracer, 2, 0));
	CHECK(poll_once(tracer, 0, &seen) > 0);
	CHECK_EQUAL(seen.records, 3);
	fake_tracer_close(tracer);
}

static void refuses_a_buffer_that_is_too_short(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);

	CHECK_EQUAL(rpf_poll(tracer, buffer, SHORTEST - 1, 0), -EINVAL);
	fake_tracer_close(tracer);
}

static void times_out(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);
	struct seen seen = { 0 };
	uint64_t start = rpf_now_ns();

	CHECK_EQUAL(poll_once(tracer, 100, &seen), 0);
	CHECK(rpf_now_ns() - start >= SECONDS / 10);
	fake_tracer_close(tracer);
}

static void *wait_long(void *argument)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	poll_once(argument, 60000, seen);
	return seen;
}

/* The reader goes to sleep by itself; both ways to end that are tried right away and when it sleeps for sure. */
static void is_woken(bool by_record, bool asleep)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);
	uint64_t start = rpf_now_ns();
	struct seen *seen;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, wait_long, tracer));
	while (asleep && !__atomic_load_n(&tracer->control->idle, __ATOMIC_SEQ_CST))
		sched_yield();
	if (by_record)
		CHECK(fake_send(tracer, 0, 0));
	else
		rpf_wake(tracer);
	pthread_join(thread, (void **)&seen);
	CHECK_EQUAL(seen->records, by_record);
	CHECK(rpf_now_ns() - start < 30 * SECONDS);
	free(seen);
	fake_tracer_close(tracer);
}

static void hands_out_every_count_after_detaching(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	uint64_t counted = 0, sent = 0;
	struct seen seen = { 0 };
	uint32_t i;

	for (i = 0; i < 20 * FAKE_FLOW_SLOTS; i++) {
		struct rpf_flow flow;

		memset(&flow, 0, sizeof(flow));
		flow.src_port = i % (FAKE_FLOW_SLOTS / 2); /* more aggregates than fit into one batch */
		if (fake_count(tracer, i % FAKE_CPUS, &flow) == FAKE_COUNTED)
			counted++;
		else
			CHECK(fake_send(tracer, sent++, 0));
	}
	rpf_detach(tracer);
	while (poll_once(tracer, 60000, &seen) > 0) /* waits no more */
		;
	CHECK(sent >= FAKE_FLOW_SLOTS / 2);
	CHECK_EQUAL(seen.next, sent);
	CHECK_EQUAL(seen.count, counted + sent);
	CHECK_EQUAL(poll_once(tracer, 60000, &seen), 0);
	fake_tracer_close(tracer);
}

static int count_flow(struct rpf_tracer *tracer, uint32_t number)
{
	struct rpf_flow flow;

	memset(&flow, 0, sizeof(flow));
	flow.src_port = number;
	return fake_count(tracer, 0, &flow) == FAKE_COUNTED;
}

/* The reader stalls in the middle of handing out; what is counted behind its back must come out all the same. */
static void hands_out_what_was_counted_behind_its_back(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(RING_BYTES);
	uint64_t counted = 0;
	struct seen seen = { 0 };
	uint32_t round, i;

	for (i = 0; i < FAKE_FLOW_SLOTS / 2; i++)
		CHECK(!count_flow(tracer, i)); /* takes its place */
	tracer->next_interval_ns = 0;
	for (round = 0; round < 2; round++) {
		for (i = 0; i < FAKE_FLOW_SLOTS / 2; i++)
			counted += count_flow(tracer, i);
		if (!round)
			CHECK(poll_once(tracer, 0, &seen) > 0);
		CHECK(seen.count < counted); /* more aggregates than fit into one batch */
	}
	rpf_detach(tracer);
	while (poll_once(tracer, 0, &seen) > 0)
		;
	CHECK(counted > 0);
	CHECK_EQUAL(seen.count, counted);
	fake_tracer_close(tracer);
}

/* A writer that never waits against a reader with the shortest buffer: what the ring took comes out, in order. */
static void *send_many(void *argument)
{
	uint64_t number = 0;
	int tries;

	for (tries = 0; tries < 100000; tries++)
		number += fake_send(argument, number, number % 50);
	return (void *)number;
}

static void keeps_order_under_load(void)
{
	struct rpf_tracer *tracer = fake_tracer_open(1 << 16);
	struct seen seen = { 0 };
	pthread_t thread;
	void *sent = NULL;

	CHECK(!pthread_create(&thread, NULL, send_many, tracer));
	do {
		poll_once(tracer, 10, &seen);
	} while (pthread_tryjoin_np(thread, &sent));
	while (poll_once(tracer, 0, &seen) > 0)
		;
	CHECK_EQUAL(seen.records, (uint64_t)sent);
	fake_tracer_close(tracer);
}

int main(void)
{
	splits_what_does_not_fit();
	goes_round_the_ring();
	waits_for_records_that_are_being_written();
	refuses_a_buffer_that_is_too_short();
	times_out();
	is_woken(false, false);
	is_woken(false, true);
	is_woken(true, false);
	is_woken(true, true);
	hands_out_every_count_after_detaching();
	hands_out_what_was_counted_behind_its_back();
	keeps_order_under_load();
	return RPF_CHECK_RESULT;
}
