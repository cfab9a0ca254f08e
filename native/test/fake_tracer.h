/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tracer without a kernel: the maps are memory of ours, and the functions here play the BPF programs on them, by the
 * rules of native/include/rpf_maps.h and kernel/bpf/ringbuf.c. What the core reads from other maps it finds unreadable.
 */
#ifndef RPF_FAKE_TRACER_H
#define RPF_FAKE_TRACER_H

#include "rpf_internal.h"

#define FAKE_CPUS 2
#define FAKE_FLOW_SLOTS 1024 /* per CPU */
#define FAKE_TICK_NS 1000    /* short, so that times in one test differ */

/* ring_bytes: a power of two and a multiple of the page size. Ends the process when there is no memory. */
struct rpf_tracer *fake_tracer_open(size_t ring_bytes);
void fake_tracer_close(struct rpf_tracer *tracer);

/* bpf_ringbuf_reserve(): room for bytes, not yet visible to the reader; NULL when the ring is full. One thread. */
void *fake_reserve(struct rpf_tracer *tracer, uint32_t bytes);
/* bpf_ringbuf_submit() and bpf_ringbuf_discard(). Wake the reader when it sleeps. */
void fake_submit(struct rpf_tracer *tracer, void *record);
void fake_discard(struct rpf_tracer *tracer, void *record);

/* Sends a drop record whose skb is number. false: the ring is full. */
bool fake_send(struct rpf_tracer *tracer, uint64_t number, uint32_t snap_bytes);

/* What the clock program would say. */
struct rpf_clock fake_clock(void);

/* What became of a drop. */
enum fake_fate {
	FAKE_COUNTED, /* in the slot of its flow */
	FAKE_CLAIMED, /* it took a slot for its flow, and would go out whole */
	FAKE_REFUSED, /* no slot took it: it would be counted as coarse */
};

/* Counts a drop in cpu's part of the flow table, as the probe does. One thread per CPU. */
enum fake_fate fake_count(struct rpf_tracer *tracer, uint32_t cpu, const struct rpf_flow *flow);

#endif
