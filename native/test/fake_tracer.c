/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_tracer.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

/* The two position pages, then the data twice in a row, as rpf_ring_open() maps them. */
static void open_ring(struct rpf_ring *ring, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("fake ring", MFD_CLOEXEC);
	unsigned char *data;

	must(fd >= 0 && !ftruncate(fd, 2 * page + bytes), "memfd_create");
	data = mmap(NULL, 2 * page + 2 * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(data != MAP_FAILED, "mmap");
	must(mmap(data + 2 * page + bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  2 * page) != MAP_FAILED,
	     "mmap");
	close(fd);
	*ring = (struct rpf_ring){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.mask = bytes - 1,
		.page = page,
		.consumer = (void *)data,
		.producer = (void *)(data + page),
		.data = data + 2 * page,
	};
	must(ring->fd >= 0, "eventfd");
}

struct rpf_tracer *fake_tracer_open(size_t ring_bytes)
{
	struct rpf_tracer *tracer = calloc(1, sizeof(*tracer));
	uint32_t slots = FAKE_CPUS * FAKE_FLOW_SLOTS;
	struct rpf_slot *memory = aligned_alloc(64, slots * sizeof(*memory));

	must(tracer && memory, "calloc");
	memset(memory, 0, slots * sizeof(*memory));
	tracer->config.interval_ms = 1;
	tracer->config.whole_per_flow = 1;
	tracer->cpus = FAKE_CPUS;
	tracer->control = calloc(1, sizeof(*tracer->control));
	tracer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(tracer->control && tracer->wake_fd >= 0, "eventfd");
	tracer->program_fd = -1;
	tracer->symbol_fd = -1;
	tracer->clock_fd = -1;
	tracer->totals_fd = -1;
	open_ring(&tracer->ring, ring_bytes);
	must(!rpf_flows_init(&tracer->flows, memory, slots, FAKE_FLOW_SLOTS), "rpf_flows_init");
	tracer->flows.tick_ns = FAKE_TICK_NS;
	return tracer;
}

void fake_tracer_close(struct rpf_tracer *tracer)
{
	free(tracer->flows.slots);
	rpf_flows_free(&tracer->flows);
	munmap((void *)tracer->ring.consumer, 2 * tracer->ring.page + 2 * (tracer->ring.mask + 1));
	close(tracer->ring.fd);
	close(tracer->wake_fd);
	free(tracer->control);
	free(tracer->told);
	free(tracer->totals);
	free(tracer);
}

struct rpf_clock fake_clock(void)
{
	uint64_t now = rpf_now_ns();

	return (struct rpf_clock){ .time_ns = now, .jiffies = now / FAKE_TICK_NS };
}

static size_t span(uint32_t bytes)
{
	return (bytes + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
}

void *fake_reserve(struct rpf_tracer *tracer, uint32_t bytes)
{
	struct rpf_ring *ring = &tracer->ring;
	unsigned long at = atomic_load_explicit(ring->producer, memory_order_relaxed);
	unsigned long consumed = atomic_load_explicit(ring->consumer, memory_order_acquire);
	unsigned char *head = (unsigned char *)ring->data + (at & ring->mask);

	if (at + span(bytes) - consumed > ring->mask)
		return NULL;
	atomic_store_explicit((_Atomic uint32_t *)head, bytes | BPF_RINGBUF_BUSY_BIT, memory_order_relaxed);
	atomic_store_explicit(ring->producer, at + span(bytes), memory_order_release);
	return head + BPF_RINGBUF_HDR_SZ;
}

static void publish(struct rpf_tracer *tracer, void *record, uint32_t flag)
{
	_Atomic uint32_t *head = (void *)((unsigned char *)record - BPF_RINGBUF_HDR_SZ);
	uint32_t bytes = atomic_load_explicit(head, memory_order_relaxed) & ~BPF_RINGBUF_BUSY_BIT;

	atomic_exchange(head, bytes | flag);
	if (__atomic_exchange_n(&tracer->control->idle, 0, __ATOMIC_SEQ_CST))
		eventfd_write(tracer->ring.fd, 1);
}

void fake_submit(struct rpf_tracer *tracer, void *record)
{
	publish(tracer, record, 0);
}

void fake_discard(struct rpf_tracer *tracer, void *record)
{
	publish(tracer, record, BPF_RINGBUF_DISCARD_BIT);
}

bool fake_send(struct rpf_tracer *tracer, uint64_t number, uint32_t snap_bytes)
{
	uint32_t bytes = sizeof(struct rpf_drop) + ((snap_bytes + 7) & ~7U);
	struct rpf_drop *drop = fake_reserve(tracer, bytes);

	if (!drop)
		return false;
	memset(drop, 0, bytes);
	drop->header.size = bytes;
	drop->header.kind = RPF_RECORD_DROP;
	drop->header.time_ns = rpf_now_ns();
	drop->first_ns = drop->header.time_ns;
	drop->count = 1;
	drop->skb = number;
	drop->snap_bytes = snap_bytes;
	memset(drop + 1, number & 0xff, snap_bytes);
	fake_submit(tracer, drop);
	return true;
}

/* count_in() of native/bpf/rpftrace.bpf.c. */
static bool count_in(struct rpf_slot *slot, const struct rpf_flow *flow)
{
	uint64_t now = fake_clock().jiffies;
	int i;

	for (i = 0; i < 3; i++) {
		uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

		if (!(word & RPF_SLOT_LIVE) || memcmp(&slot->flow, flow, sizeof(*flow)))
			return false;
		__atomic_store_n(&slot->last_jiffies, now, __ATOMIC_RELAXED);
		if (!(word & RPF_SLOT_COUNT_MASK))
			__atomic_store_n(&slot->first_jiffies, now, __ATOMIC_RELAXED);
		if (__sync_bool_compare_and_swap(&slot->word, word, word + 1))
			return true;
	}
	return false;
}

/* claim() of native/bpf/rpftrace.bpf.c. */
static bool claim(struct rpf_tracer *tracer, struct rpf_slot *slot, const struct rpf_flow *flow)
{
	uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE), next;

	if (word & (RPF_SLOT_LIVE | RPF_SLOT_BUSY))
		return false;
	next = (word + RPF_SLOT_GENERATION) & RPF_SLOT_GENERATION_MASK;
	if (!__sync_bool_compare_and_swap(&slot->word, word, next | RPF_SLOT_BUSY))
		return false;
	slot->flow = *flow;
	memset(&slot->detail, 0, sizeof(slot->detail));
	slot->whole = 1;
	__atomic_exchange_n(&slot->word, next | RPF_SLOT_LIVE, __ATOMIC_SEQ_CST);
	rpf_set_flag(&tracer->control->claimed, 1);
	return true;
}

enum fake_fate fake_count(struct rpf_tracer *tracer, uint32_t cpu, const struct rpf_flow *flow)
{
	struct rpf_slot *slots = tracer->flows.slots + cpu * FAKE_FLOW_SLOTS;
	uint32_t hash = flow->src_port * 2654435761U >> 16, i;

	for (i = 0; i < RPF_PROBES; i++) {
		if (count_in(&slots[(hash + i) % FAKE_FLOW_SLOTS], flow))
			return FAKE_COUNTED;
	}
	for (i = 0; i < RPF_PROBES; i++) {
		if (claim(tracer, &slots[(hash + i) % FAKE_FLOW_SLOTS], flow))
			return FAKE_CLAIMED;
	}
	return FAKE_REFUSED;
}
