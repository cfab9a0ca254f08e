/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a BPF ring buffer record by record into a batch. libbpf's reader consumes a record before its callback can say
 * that there is no room for it, so ours stops before the record that does not fit and leaves it in the ring.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rpf_internal.h"

int rpf_ring_open(struct rpf_ring *ring, int map_fd, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *mapped;

	*ring = (struct rpf_ring){ .fd = map_fd, .mask = bytes - 1, .page = page };
	/*
	 * kernel/bpf/ringbuf.c: consumer position (writable), producer position, then the data, which could be mapped twice in
	 * a row. Once is enough for who copies, and every page of a mapping counts as resident.
	 */
	mapped = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	ring->consumer = mapped;
	mapped = mmap(NULL, page + bytes, PROT_READ, MAP_SHARED, map_fd, page);
	if (mapped == MAP_FAILED) {
		int err = -errno;

		rpf_ring_close(ring);
		return err;
	}
	ring->producer = mapped;
	ring->data = (unsigned char *)mapped + page;
	return 0;
}

void rpf_ring_close(struct rpf_ring *ring)
{
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap(ring->producer, ring->page + ring->mask + 1);
	ring->consumer = NULL;
	ring->producer = NULL;
}

bool rpf_ring_empty(const struct rpf_ring *ring)
{
	return atomic_load_explicit(ring->consumer, memory_order_relaxed) ==
	       atomic_load_explicit(ring->producer, memory_order_acquire);
}

void rpf_ring_mark(struct rpf_ring *ring)
{
	ring->end = atomic_load_explicit(ring->producer, memory_order_acquire);
}

/* A record may go on at the ring's beginning. */
static void copy_record(const struct rpf_ring *ring, unsigned long at, void *record, size_t bytes)
{
	size_t begin = at & ring->mask;
	size_t until_end = ring->mask + 1 - begin;
	size_t first = bytes < until_end ? bytes : until_end;

	memcpy(record, ring->data + begin, first);
	memcpy((unsigned char *)record + first, ring->data, bytes - first);
}

bool rpf_ring_drain(struct rpf_ring *ring, struct rpf_writer *writer)
{
	unsigned long at = atomic_load_explicit(ring->consumer, memory_order_relaxed);
	bool room = true;

	while (at < ring->end) {
		const unsigned char *head = ring->data + (at & ring->mask);
		uint32_t length = atomic_load_explicit((const _Atomic uint32_t *)head, memory_order_acquire);
		uint32_t bytes = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		const struct rpf_drop *drop;
		void *record;

		if (length & BPF_RINGBUF_BUSY_BIT)
			break; /* still being written: it comes with the next call */
		if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
			record = rpf_writer_reserve(writer, bytes);
			if (!record) {
				room = false;
				break;
			}
			copy_record(ring, at + BPF_RINGBUF_HDR_SZ, record, bytes);
			drop = record;
			if (drop->header.kind == RPF_RECORD_DROP) {
				writer->drops += drop->count;
				writer->records++;
			}
		}
		at += (bytes + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
	}
	atomic_store_explicit(ring->consumer, at, memory_order_release);
	return room;
}
