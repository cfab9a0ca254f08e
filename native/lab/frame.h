/* SPDX-License-Identifier: Apache-2.0 */
/* Builds Ethernet frames byte by byte: good ones, and ones that no decent sender would make. */
#ifndef RPF_LAB_FRAME_H
#define RPF_LAB_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_net.h>

#define MAX_PAYLOAD 65000  /* an IP packet ends at 65535 bytes, headers included */
#define MAX_FRAME 65600	   /* the longest packet, an Ethernet header and a VLAN tag */
#define MAX_FRAGMENTS 1024 /* frames that one packet may become */

enum frame_kind { FRAME_UDP, FRAME_TCP, FRAME_ICMP, FRAME_ARP };

enum frame_spread {
	SPREAD_PORT,	/* flows differ in the source port, then in the source address */
	SPREAD_ADDRESS, /* flows differ in the source address only */
};

struct frame_spec {
	enum frame_kind kind;
	int family; /* AF_INET or AF_INET6 */
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t src_port; /* ICMP: the echo identifier */
	uint16_t dst_port;
	uint8_t ttl;
	uint8_t tcp_flags;
	int vlan;	   /* VLAN ID of an 802.1Q tag, -1 = no tag */
	int header_length; /* what the IPv4 header says of its own length, in 32 bit words; the truth is 5 */
	size_t length;	   /* payload bytes */
	size_t fragment;   /* payload bytes of each fragment, 0 = not fragmented */
	size_t truncate;   /* packet bytes that are left, headers untouched; SIZE_MAX = all */
	size_t shorten; /* bytes after the IP header that are left, and the IP header says so; SIZE_MAX = all */
	uint16_t gso;	/* payload bytes of each segment of a super-packet, 0 = an ordinary packet */
	size_t linear; /* packet bytes that the kernel is to keep in its linear area, 0 = as it likes */
	enum frame_spread spread;
};

struct frame {
	struct virtio_net_hdr vnet;
	size_t length;
	uint8_t *bytes; /* MAX_FRAME of them, or as many as frame_bytes() says */
};

/* An upper bound for the length of the frames that a spec makes. */
size_t frame_bytes(const struct frame_spec *spec);

/* Builds the packet of the flow with this number. Returns how many frames it took, at most MAX_FRAGMENTS. */
size_t frame_build(const struct frame_spec *spec, uint32_t flow, struct frame *frames);

/* The ethertype of the packet, in host order. */
uint16_t frame_ethertype(const struct frame_spec *spec);

#endif
