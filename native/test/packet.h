/* SPDX-License-Identifier: Apache-2.0 */
/* native/bpf/parse.h on memory of our own. */
#ifndef RPF_TEST_PACKET_H
#define RPF_TEST_PACKET_H

#include <linux/types.h>
#include <string.h>

static inline __u8 rpf_load8(__u64 address)
{
	return *(const __u8 *)address;
}

static inline __u16 rpf_load16(__u64 address)
{
	__u16 value;

	memcpy(&value, (const void *)address, sizeof(value));
	return value;
}

static inline __u32 rpf_load32(__u64 address)
{
	__u32 value;

	memcpy(&value, (const void *)address, sizeof(value));
	return value;
}

#include "parse.h"

/* Parses the first linear bytes of a packet that has total bytes. */
static inline struct rpf_packet parse(const void *bytes, __u32 linear, __u32 total, __u16 protocol)
{
	struct rpf_window window = { .address = (__u64)bytes, .linear = linear, .total = total };
	struct rpf_packet packet;

	memset(&packet, 0, sizeof(packet));
	rpf_parse(&window, protocol, &packet);
	return packet;
}

#endif
