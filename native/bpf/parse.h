/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Reads the headers of a packet out of a window of linear memory. Nothing outside of the window is read, and what is not
 * there is said to be absent, short or nonlinear, never guessed.
 *
 * Compiled into the BPF programs, where the window is kernel memory, and into the native tests and fuzz targets, which
 * define rpf_load8, rpf_load16 and rpf_load32 on memory of their own before they include this file.
 */
#ifndef RPF_PARSE_H
#define RPF_PARSE_H

#include "rpf_record.h"

#ifndef rpf_inline
#define rpf_inline static inline __attribute__((always_inline))
#endif

#define RPF_ETH_P_IP 0x0800 /* include/uapi/linux/if_ether.h */
#define RPF_ETH_P_IPV6 0x86DD
#define RPF_ETH_P_8021Q 0x8100
#define RPF_ETH_P_8021AD 0x88A8

#define RPF_PROTO_HOPOPTS 0 /* include/uapi/linux/in.h, in6.h */
#define RPF_PROTO_ICMP 1
#define RPF_PROTO_TCP 6
#define RPF_PROTO_UDP 17
#define RPF_PROTO_DCCP 33
#define RPF_PROTO_ROUTING 43
#define RPF_PROTO_FRAGMENT 44
#define RPF_PROTO_AH 51
#define RPF_PROTO_ICMPV6 58
#define RPF_PROTO_DSTOPTS 60
#define RPF_PROTO_SCTP 132
#define RPF_PROTO_UDPLITE 136

#define RPF_MAX_VLAN_TAGS 2  /* 802.1ad outer and 802.1Q inner tag */
#define RPF_MAX_EXTENSIONS 6 /* IPv6 extension headers looked through; RFC 8200 names 6 kinds */

struct rpf_window {
	__u64 address; /* of the network header */
	__u32 linear;  /* bytes from there to the end of the linear data */
	__u32 total;   /* bytes from there to the end of the packet */
};

struct rpf_packet {
	__u32 flags; /* RPF_L3 ... RPF_VLAN of enum rpf_flags */
	__u16 src_port;
	__u16 dst_port;
	__u16 ethertype;
	__u16 vlan_id;
	__u16 fragment_offset;
	__u8 family;
	__u8 protocol;
	__u8 ttl;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u32 src[4];
	__u32 dst[4];
};

rpf_inline __u16 rpf_swap16(__u16 value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(value);
#else
	return value;
#endif
}

/* Byte i of a word as it lies in memory. Words cost less than bytes where each load checks its address. */
rpf_inline __u8 rpf_byte(__u32 word, int i)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word >> (8 * i);
#else
	return word >> (24 - 8 * i);
#endif
}

rpf_inline __u16 rpf_half(__u32 word, int i)
{
	return (__u16)rpf_byte(word, i) << 8 | rpf_byte(word, i + 1);
}

/* 0 where bytes from offset on can be read, else the flag that says why not. */
rpf_inline __u32 rpf_beyond(const struct rpf_window *window, __u32 offset, __u32 bytes, __u32 short_flag,
			    __u32 nonlinear_flag)
{
	if (offset + bytes <= window->linear)
		return 0;
	return offset + bytes > window->total ? short_flag : nonlinear_flag;
}

rpf_inline void rpf_parse_transport(const struct rpf_window *window, __u32 offset, struct rpf_packet *packet)
{
	__u64 at = window->address + offset;
	__u8 protocol = packet->protocol;
	__u32 beyond, ports;

	packet->flags |= RPF_L4_PROTOCOL;
	if (protocol == RPF_PROTO_ICMP || protocol == RPF_PROTO_ICMPV6) {
		beyond = rpf_beyond(window, offset, 2, RPF_L4_SHORT, RPF_L4_NONLINEAR);
		packet->flags |= beyond ? beyond : RPF_L4;
		if (beyond)
			return;
		packet->icmp_type = rpf_load8(at);
		packet->icmp_code = rpf_load8(at + 1);
		return;
	}
	if (protocol != RPF_PROTO_TCP && protocol != RPF_PROTO_UDP && protocol != RPF_PROTO_SCTP &&
	    protocol != RPF_PROTO_DCCP && protocol != RPF_PROTO_UDPLITE)
		return;
	beyond = rpf_beyond(window, offset, 4, RPF_L4_SHORT, RPF_L4_NONLINEAR);
	packet->flags |= beyond ? beyond : RPF_L4;
	if (beyond)
		return;
	ports = rpf_load32(at);
	packet->src_port = rpf_half(ports, 0);
	packet->dst_port = rpf_half(ports, 2);
	if (protocol != RPF_PROTO_TCP)
		return;
	beyond = rpf_beyond(window, offset, 14, RPF_L4_SHORT, RPF_L4_NONLINEAR);
	packet->flags |= beyond ? beyond : RPF_TCP_FLAGS;
	if (!beyond)
		packet->tcp_flags = rpf_load8(at + 13);
}

rpf_inline void rpf_parse_ipv4(const struct rpf_window *window, __u32 offset, struct rpf_packet *packet)
{
	__u64 at = window->address + offset;
	__u32 beyond = rpf_beyond(window, offset, 20, RPF_L3_SHORT, RPF_L3_NONLINEAR);
	__u32 second, third;
	__u16 fragment;
	__u8 first;

	if (beyond) {
		packet->flags |= beyond;
		return;
	}
	first = rpf_load8(at);
	if (first >> 4 != 4 || (first & 15) < 5) {
		packet->flags |= RPF_L3_MALFORMED;
		return;
	}
	packet->flags |= RPF_L3;
	packet->family = 4;
	second = rpf_load32(at + 4);
	third = rpf_load32(at + 8);
	packet->ttl = rpf_byte(third, 0);
	packet->protocol = rpf_byte(third, 1);
	packet->src[0] = rpf_load32(at + 12);
	packet->dst[0] = rpf_load32(at + 16);

	fragment = rpf_half(second, 2);
	packet->fragment_offset = (fragment & 0x1fff) << 3;
	if (fragment & 0x3fff) /* more fragments, or an offset */
		packet->flags |= RPF_FRAGMENT;
	if (packet->fragment_offset) {
		packet->flags |= RPF_L4_PROTOCOL;
		return;
	}
	rpf_parse_transport(window, offset + (first & 15) * 4, packet);
}

rpf_inline int rpf_is_extension(__u8 protocol)
{
	return protocol == RPF_PROTO_HOPOPTS || protocol == RPF_PROTO_ROUTING ||
	       protocol == RPF_PROTO_FRAGMENT || protocol == RPF_PROTO_AH || protocol == RPF_PROTO_DSTOPTS;
}

rpf_inline void rpf_parse_ipv6(const struct rpf_window *window, __u32 offset, struct rpf_packet *packet)
{
	__u64 at = window->address + offset;
	__u32 beyond = rpf_beyond(window, offset, 40, RPF_L3_SHORT, RPF_L3_NONLINEAR);
	int i;

	if (beyond) {
		packet->flags |= beyond;
		return;
	}
	if (rpf_load8(at) >> 4 != 6) {
		packet->flags |= RPF_L3_MALFORMED;
		return;
	}
	packet->flags |= RPF_L3;
	packet->family = 6;
	packet->protocol = rpf_load8(at + 6);
	packet->ttl = rpf_load8(at + 7);
	for (i = 0; i < 4; i++) {
		packet->src[i] = rpf_load32(at + 8 + 4 * i);
		packet->dst[i] = rpf_load32(at + 24 + 4 * i);
	}
	offset += 40;

	for (i = 0; i < RPF_MAX_EXTENSIONS; i++) {
		__u8 kind = packet->protocol;
		__u16 fragment;

		if (!rpf_is_extension(kind))
			break;
		beyond = rpf_beyond(window, offset, 8, RPF_L4_SHORT, RPF_L4_NONLINEAR);
		if (beyond) {
			packet->flags |= beyond;
			return; /* the transport protocol is not known */
		}
		at = window->address + offset;
		packet->protocol = rpf_load8(at);
		if (kind == RPF_PROTO_FRAGMENT) {
			fragment = rpf_swap16(rpf_load16(at + 2));
			packet->flags |= RPF_FRAGMENT;
			packet->fragment_offset = fragment & 0xfff8;
			if (packet->fragment_offset) {
				packet->flags |= RPF_L4_PROTOCOL;
				return;
			}
			offset += 8;
		} else if (kind == RPF_PROTO_AH) {
			offset += ((__u32)rpf_load8(at + 1) + 2) * 4; /* RFC 4302 counts in 4-byte words */
		} else {
			offset += ((__u32)rpf_load8(at + 1) + 1) * 8;
		}
	}
	if (rpf_is_extension(packet->protocol))
		return; /* more extension headers than we look through: the transport protocol is not known */
	rpf_parse_transport(window, offset, packet);
}

/* protocol: skb->protocol in host order, 0 = unknown. packet must be zero. */
rpf_inline void rpf_parse(const struct rpf_window *window, __u16 protocol, struct rpf_packet *packet)
{
	__u32 offset = 0;
	int i;

	for (i = 0; i < RPF_MAX_VLAN_TAGS; i++) {
		__u32 beyond;

		if (protocol != RPF_ETH_P_8021Q && protocol != RPF_ETH_P_8021AD)
			break;
		beyond = rpf_beyond(window, offset, 4, RPF_L3_SHORT, RPF_L3_NONLINEAR);
		if (beyond) {
			packet->ethertype = protocol;
			packet->flags |= beyond;
			return;
		}
		if (!i) {
			packet->vlan_id = rpf_swap16(rpf_load16(window->address + offset)) & 0xfff;
			packet->flags |= RPF_VLAN;
		}
		protocol = rpf_swap16(rpf_load16(window->address + offset + 2));
		offset += 4;
	}
	packet->ethertype = protocol;
	if (protocol == RPF_ETH_P_IP)
		rpf_parse_ipv4(window, offset, packet);
	else if (protocol == RPF_ETH_P_IPV6)
		rpf_parse_ipv6(window, offset, packet);
	else
		packet->flags |= RPF_L3_ABSENT;
}

#endif
