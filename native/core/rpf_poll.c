/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader. While drops come in it looks at the ring once a tick, so that the probe need not wake it for each of them
 * (a wake-up costs the dropping CPU more than the whole record). After a while without any it declares itself idle and
 * sleeps until the probe wakes it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "rpf_internal.h"

#define TICK_MS 1
#define TICKS_UNTIL_IDLE 20

/* jiffies are the kernel's alone, so a program of ours reads them. */
static void read_clock(const struct rpf_tracer *tracer, struct rpf_clock *clock)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	*clock = (struct rpf_clock){ .time_ns = rpf_now_ns() };
	if (!bpf_prog_test_run_opts(tracer->clock_fd, &options))
		*clock = *tracer->clock;
}

static void begin_flows(struct rpf_tracer *tracer)
{
	struct rpf_clock clock;

	rpf_set_flag(&tracer->control->claimed, 0); /* before reading: a claim from now on sets it again */
	atomic_thread_fence(memory_order_seq_cst);
	read_clock(tracer, &clock);
	rpf_flows_begin(&tracer->flows, &clock);
}

/*
 * After detaching nothing moves any more, so that one whole drain finds every count. It starts over whatever was under way:
 * behind that one's back, counts and losses may have come to places that it had passed.
 */
static void begin_final(struct rpf_tracer *tracer)
{
	if (tracer->final_drain)
		return;
	tracer->final_drain = true;
	tracer->lost_pending = true;
	rpf_lost_begin(tracer);
	if (!tracer->config.every)
		begin_flows(tracer);
}

static void begin_interval(struct rpf_tracer *tracer)
{
	uint64_t now = rpf_now_ns();

	if (now < tracer->next_interval_ns)
		return;
	tracer->next_interval_ns = now + tracer->config.interval_ms * 1000000ULL;
	tracer->lost_pending = true;
	if (tracer->config.every || (!rpf_flag(&tracer->control->claimed) && !tracer->flows.live_before))
		return;
	if (tracer->flows.next < tracer->flows.slot_count)
		return; /* the last one is still being handed out */
	begin_flows(tracer);
}

/*
 * Changes of routes come before the drops that they made: they are read after the ring was looked at, and told before what was
 * in it then.
 */
static bool drain_drops(struct rpf_tracer *tracer, struct rpf_writer *writer)
{
	rpf_ring_mark(&tracer->ring);
	/* When it is over nobody asks any more, and a flood of changes must not keep it from ending. */
	if (tracer->detached)
		return rpf_ring_drain(&tracer->ring, writer);
	return rpf_watches_drain(&tracer->watches, &tracer->ring, !rpf_ring_empty(&tracer->ring), writer) &&
	       rpf_ring_drain(&tracer->ring, writer) &&
	       rpf_watches_drain_netconf(&tracer->watches, &tracer->ring, writer);
}

/* Everything that there is, as far as it fits, in the order in which it must not be lost. */
static void fill(struct rpf_tracer *tracer, struct rpf_writer *writer)
{
	if (!rpf_links_drain(&tracer->links, writer) || !drain_drops(tracer, writer))
		return;
	if (tracer->detached)
		begin_final(tracer);
	else
		begin_interval(tracer);
	if (!tracer->config.every && !rpf_flows_drain(&tracer->flows, writer))
		return;
	if (tracer->lost_pending)
		tracer->lost_pending = !rpf_lost_drain(tracer, writer);
}

static int time_to_interval_ms(const struct rpf_tracer *tracer)
{
	uint64_t now = rpf_now_ns();

	return now >= tracer->next_interval_ns ? 0 : (tracer->next_interval_ns - now) / 1000000 + 1;
}

/* Counts wait in the flow table, or may have been lost: the interval must not be slept through. */
static bool has_unfinished(const struct rpf_tracer *tracer)
{
	return rpf_flag(&tracer->control->claimed) || rpf_flag(&tracer->control->lost) ||
	       tracer->flows.live_before;
}

/* Negative: any time. */
static int shorter(int one_ms, int other_ms)
{
	return other_ms >= 0 && (one_ms < 0 || one_ms > other_ms) ? other_ms : one_ms;
}

static void wait_idle(struct rpf_tracer *tracer, struct pollfd *fds, int timeout_ms)
{
	int limit = has_unfinished(tracer) ? time_to_interval_ms(tracer) : timeout_ms;

	limit = shorter(limit, timeout_ms);
	limit = shorter(limit, rpf_watches_limit_ms(&tracer->watches));
	rpf_set_flag(&tracer->control->idle, 1);
	/* The probe reads idle after it has published its record; we look for a record after we have published idle. */
	atomic_thread_fence(memory_order_seq_cst);
	if (rpf_ring_empty(&tracer->ring))
		poll(fds, 4, limit);
	rpf_set_flag(&tracer->control->idle, 0);
	/*
	 * What the probe still writes is waited for in ticks, as is what comes after it. Whatever else ended the wait is no
	 * reason to: with nothing to do the thread wakes up once, not TICKS_UNTIL_IDLE times.
	 */
	if (!rpf_ring_empty(&tracer->ring))
		tracer->empty_ticks = 0;
}

/* true: someone called rpf_wake(). */
static bool wait_for_more(struct rpf_tracer *tracer, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = tracer->wake_fd, .events = POLLIN },
		{ .fd = rpf_links_fd(&tracer->links), .events = POLLIN },
		{ .fd = rpf_watches_fd(&tracer->watches), .events = POLLIN },
		{ .fd = tracer->ring.fd, .events = POLLIN },
	};
	eventfd_t woken;

	if (tracer->empty_ticks < TICKS_UNTIL_IDLE) {
		tracer->empty_ticks++;
		poll(fds, 3, timeout_ms >= 0 && timeout_ms < TICK_MS ? timeout_ms : TICK_MS);
	} else {
		wait_idle(tracer, fds, timeout_ms);
	}
	return !eventfd_read(tracer->wake_fd, &woken);
}

/*
 * At most one batch a tick: in a flood there are records again as soon as one was handed over, and to switch threads for a
 * handful of them costs more than they do. Returns like wait_for_more().
 */
static bool wait_for_tick(struct rpf_tracer *tracer)
{
	struct pollfd fd = { .fd = tracer->wake_fd, .events = POLLIN };
	eventfd_t woken;

	if (tracer->detached || rpf_now_ns() - tracer->batch_ns >= TICK_MS * 1000000ULL)
		return false;
	poll(&fd, 1, TICK_MS);
	return !eventfd_read(tracer->wake_fd, &woken);
}

long rpf_poll(struct rpf_tracer *tracer, void *buffer, size_t bytes, int timeout_ms)
{
	uint64_t deadline = rpf_now_ns() + (timeout_ms > 0 ? timeout_ms : 0) * 1000000ULL;
	struct rpf_writer writer;

	if (bytes < (1 << 16))
		return -EINVAL;
	if (timeout_ms && wait_for_tick(tracer))
		return 0;
	for (;;) {
		uint64_t now;
		long written;
		int left;

		rpf_writer_begin(&writer, buffer, bytes);
		fill(tracer, &writer);
		written = rpf_writer_finish(&writer);
		if (written) {
			tracer->empty_ticks = 0;
			tracer->delivered += writer.drops;
			tracer->records += writer.records;
			tracer->batch_ns = rpf_now_ns();
			tracer->live_flows = tracer->flows.live_before;
			return written;
		}
		now = rpf_now_ns();
		if (tracer->detached || (timeout_ms >= 0 && now >= deadline))
			return 0;
		left = timeout_ms < 0 ? -1 : (int)((deadline - now) / 1000000) + 1;
		if (wait_for_more(tracer, left))
			return 0;
	}
}
