/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, cut anywhere: nothing is read outside of the linear data (it ends where the allocation does, so the address
 * sanitizer sees it), the flags never contradict each other, and a shorter window never yields another answer, only less.
 */
#include <stdint.h>

#include "check.h"
#include "packet.h"

#define L3_FLAGS (RPF_L3 | RPF_L3_ABSENT | RPF_L3_SHORT | RPF_L3_NONLINEAR | RPF_L3_MALFORMED)
#define NONLINEAR_FLAGS (RPF_L3_NONLINEAR | RPF_L4_NONLINEAR)

static const __u16 protocols[] = { RPF_ETH_P_IP, RPF_ETH_P_IPV6, RPF_ETH_P_8021Q, RPF_ETH_P_8021AD, 0x0806, 0 };

static int is_one(__u32 flags)
{
	return flags && !(flags & (flags - 1));
}

static void require_sense(const struct rpf_packet *packet, int all_linear)
{
	__u32 flags = packet->flags;

	REQUIRE(is_one(flags & L3_FLAGS));
	REQUIRE((packet->family == 4 || packet->family == 6) == !!(flags & RPF_L3));
	REQUIRE(!(flags & RPF_L4) || flags & RPF_L4_PROTOCOL);
	REQUIRE(!(flags & RPF_L4_PROTOCOL) || flags & RPF_L3);
	REQUIRE(!(flags & RPF_TCP_FLAGS) || (flags & RPF_L4 && packet->protocol == RPF_PROTO_TCP));
	REQUIRE(!(flags & RPF_L4_SHORT) || !(flags & RPF_L4_NONLINEAR));
	REQUIRE(!all_linear || !(flags & NONLINEAR_FLAGS));
	if (!(flags & RPF_L4))
		REQUIRE(!packet->src_port && !packet->dst_port && !packet->icmp_type && !packet->icmp_code);
	if (!(flags & RPF_TCP_FLAGS))
		REQUIRE(!packet->tcp_flags);
	if (!(flags & RPF_FRAGMENT))
		REQUIRE(!packet->fragment_offset);
	if (!(flags & RPF_VLAN))
		REQUIRE(!packet->vlan_id);
}

/* What the part says must be what the whole says. */
static void require_part_of(const struct rpf_packet *part, const struct rpf_packet *whole)
{
	if (part->flags & RPF_VLAN)
		REQUIRE(part->vlan_id == whole->vlan_id);
	if (part->flags & RPF_L3) {
		REQUIRE(whole->flags & RPF_L3 && part->family == whole->family && part->ttl == whole->ttl);
		REQUIRE(!memcmp(part->src, whole->src, sizeof(part->src)));
		REQUIRE(!memcmp(part->dst, whole->dst, sizeof(part->dst)));
	}
	if (part->flags & RPF_L4_PROTOCOL)
		REQUIRE(whole->flags & RPF_L4_PROTOCOL && part->protocol == whole->protocol);
	if (part->flags & RPF_L4) {
		REQUIRE(whole->flags & RPF_L4 && part->src_port == whole->src_port);
		REQUIRE(part->dst_port == whole->dst_port && part->icmp_type == whole->icmp_type);
	}
	if (part->flags & RPF_TCP_FLAGS)
		REQUIRE(whole->flags & RPF_TCP_FLAGS && part->tcp_flags == whole->tcp_flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpf_packet whole, part;
	__u16 protocol;
	__u32 linear;
	__u8 *cut;

	if (size < 2)
		return 0;
	protocol = protocols[data[0] % (sizeof(protocols) / sizeof(*protocols))];
	linear = data[1];
	data += 2;
	size -= 2;
	if (linear > size)
		linear = size;

	whole = parse(data, size, size, protocol);
	require_sense(&whole, 1);
	cut = malloc(linear);
	REQUIRE(cut || !linear);
	if (linear)
		memcpy(cut, data, linear);
	part = parse(cut, linear, size, protocol);
	require_sense(&part, linear == size);
	require_part_of(&part, &whole);
	free(cut);
	return 0;
}
