// SPDX-License-Identifier: Apache-2.0
#include "frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 \
	5 /* include/uapi/linux/virtio_net.h, v6.2; Debian 12 has the headers of 6.1 */
#endif
#define FRAGMENT_ID 0x7266
#define VLAN_TAG_BYTES 4
#define HEADER_ROOM 128 /* Ethernet, VLAN, IP, fragment and transport headers together stay below it */

static size_t put_transport(const struct frame_spec *spec, const uint8_t *src, uint16_t src_port, uint8_t *at);
static size_t put_ethernet(const struct frame_spec *spec, uint8_t *at);
static size_t put_ip(const struct frame_spec *spec, const uint8_t *src, size_t transport, size_t offset,
		     size_t total, uint8_t *at);
static size_t put_arp(const struct frame_spec *spec, const uint8_t *src, uint8_t *at);
static size_t transport_header_bytes(enum frame_kind kind);
static void set_offload(const struct frame_spec *spec, size_t network, size_t transport, struct frame *frame);

static void flow_source(const struct frame_spec *spec, uint32_t flow, uint8_t *src, uint16_t *src_port)
{
	uint32_t ports = spec->spread == SPREAD_PORT ? 65536u - spec->src_port : 1;
	uint8_t *tail = src + (spec->family == AF_INET6 ? 12 : 0);
	uint32_t host;

	memcpy(src, spec->src, 16);
	memcpy(&host, tail, sizeof(host));
	host = htonl(ntohl(host) + flow / ports);
	memcpy(tail, &host, sizeof(host));
	*src_port = spec->src_port + flow % ports;
}

size_t frame_build(const struct frame_spec *spec, uint32_t flow, struct frame *frames)
{
	static uint8_t transport[MAX_FRAME];
	uint8_t src[16];
	uint16_t src_port;
	size_t total, step, offset = 0, count = 0;

	flow_source(spec, flow, src, &src_port);
	if (spec->kind == FRAME_ARP) {
		size_t network = put_ethernet(spec, frames->bytes);

		frames->length = network + put_arp(spec, src, frames->bytes + network);
		memset(&frames->vnet, 0, sizeof(frames->vnet));
		return 1;
	}

	total = put_transport(spec, src, src_port, transport);
	if (spec->shorten < total)
		total = spec->shorten;
	step = spec->fragment ? spec->fragment : total;
	do {
		struct frame *frame = &frames[count++];
		size_t bytes = total - offset < step ? total - offset : step;
		size_t network = put_ethernet(spec, frame->bytes);
		size_t start = network + put_ip(spec, src, bytes, offset, total, frame->bytes + network);

		memcpy(frame->bytes + start, transport + offset, bytes);
		frame->length = start + bytes;
		if (spec->truncate < frame->length - network)
			frame->length = network + spec->truncate;
		set_offload(spec, network, start, frame);
		offset += bytes;
	} while (offset < total);
	return count;
}

size_t frame_bytes(const struct frame_spec *spec)
{
	return HEADER_ROOM + (spec->fragment ? spec->fragment : spec->length);
}

uint16_t frame_ethertype(const struct frame_spec *spec)
{
	if (spec->kind == FRAME_ARP)
		return ETHERTYPE_ARP;
	return spec->family == AF_INET6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP;
}

static size_t put_ethernet(const struct frame_spec *spec, uint8_t *at)
{
	uint16_t type = htons(frame_ethertype(spec));
	uint16_t tag[2] = { htons(ETHERTYPE_VLAN), htons(spec->vlan) };

	memcpy(at, spec->dst_mac, 6);
	memcpy(at + 6, spec->src_mac, 6);
	if (spec->vlan < 0) {
		memcpy(at + 12, &type, sizeof(type));
		return ETH_HLEN;
	}
	memcpy(at + 12, tag, sizeof(tag));
	memcpy(at + 16, &type, sizeof(type));
	return ETH_HLEN + VLAN_TAG_BYTES;
}

static size_t put_arp(const struct frame_spec *spec, const uint8_t *src, uint8_t *at)
{
	struct ether_arp arp = {
		.ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
			    .ar_pro = htons(ETHERTYPE_IP),
			    .ar_hln = 6,
			    .ar_pln = 4,
			    .ar_op = htons(ARPOP_REQUEST) },
	};

	memcpy(arp.arp_sha, spec->src_mac, 6);
	memcpy(arp.arp_spa, src, 4);
	memcpy(arp.arp_tpa, spec->dst, 4);
	memcpy(at, &arp, sizeof(arp));
	return sizeof(arp);
}

/* ---- IP ---- */

static uint32_t add_words(const void *data, size_t bytes, uint32_t sum)
{
	const uint8_t *at = data;

	for (; bytes > 1; bytes -= 2, at += 2)
		sum += (uint32_t)at[0] << 8 | at[1];
	return bytes ? sum + ((uint32_t)at[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint8_t protocol_of(const struct frame_spec *spec)
{
	switch (spec->kind) {
	case FRAME_TCP:
		return IPPROTO_TCP;
	case FRAME_ICMP:
		return spec->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	default:
		return IPPROTO_UDP;
	}
}

static size_t put_ipv4(const struct frame_spec *spec, const uint8_t *src, size_t transport, size_t offset,
		       size_t total, uint8_t *at)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = spec->header_length,
		.tot_len = htons(sizeof(ip) + transport),
		.id = spec->fragment ? htons(FRAGMENT_ID) : 0,
		.frag_off = htons(offset / 8 | (offset + transport < total ? IP_MF : 0)),
		.ttl = spec->ttl,
		.protocol = protocol_of(spec),
	};

	memcpy(&ip.saddr, src, sizeof(ip.saddr));
	memcpy(&ip.daddr, spec->dst, sizeof(ip.daddr));
	ip.check = htons(~fold(add_words(&ip, sizeof(ip), 0)));
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_ipv6(const struct frame_spec *spec, const uint8_t *src, size_t transport, size_t offset,
		       size_t total, uint8_t *at)
{
	size_t extension = spec->fragment ? sizeof(struct ip6_frag) : 0;
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(extension + transport),
		.ip6_nxt = extension ? IPPROTO_FRAGMENT : protocol_of(spec),
		.ip6_hlim = spec->ttl,
	};
	struct ip6_frag fragment = {
		.ip6f_nxt = protocol_of(spec),
		.ip6f_offlg = htons(offset | (offset + transport < total ? 1 : 0)),
		.ip6f_ident = htonl(FRAGMENT_ID),
	};

	memcpy(&ip.ip6_src, src, sizeof(ip.ip6_src));
	memcpy(&ip.ip6_dst, spec->dst, sizeof(ip.ip6_dst));
	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), &fragment, extension);
	return sizeof(ip) + extension;
}

static size_t put_ip(const struct frame_spec *spec, const uint8_t *src, size_t transport, size_t offset,
		     size_t total, uint8_t *at)
{
	if (spec->family == AF_INET6)
		return put_ipv6(spec, src, transport, offset, total, at);
	return put_ipv4(spec, src, transport, offset, total, at);
}

/* ---- transport ---- */

static void put_udp(const struct frame_spec *spec, uint16_t src_port, uint8_t *at)
{
	struct udphdr udp = {
		.source = htons(src_port),
		.dest = htons(spec->dst_port),
		.len = htons(sizeof(udp) + spec->length),
	};

	memcpy(at, &udp, sizeof(udp));
}

static void put_tcp(const struct frame_spec *spec, uint16_t src_port, uint8_t *at)
{
	struct tcphdr tcp = {
		.source = htons(src_port),
		.dest = htons(spec->dst_port),
		.seq = htonl(1),
		.doff = sizeof(tcp) / 4,
		.window = htons(64240),
	};

	memcpy(at, &tcp, sizeof(tcp));
	at[13] = spec->tcp_flags; // the flags byte, spread over bit fields in struct tcphdr
}

static void put_echo(const struct frame_spec *spec, uint16_t id, uint8_t *at)
{
	struct icmphdr icmp = {
		.type = spec->family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.un.echo.id = htons(id),
		.un.echo.sequence = htons(1),
	};

	memcpy(at, &icmp, sizeof(icmp));
}

static void put_transport_header(const struct frame_spec *spec, uint16_t src_port, uint8_t *at)
{
	switch (spec->kind) {
	case FRAME_TCP:
		return put_tcp(spec, src_port, at);
	case FRAME_ICMP:
		return put_echo(spec, src_port, at);
	default:
		return put_udp(spec, src_port, at);
	}
}

static size_t transport_header_bytes(enum frame_kind kind)
{
	return kind == FRAME_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr); // ICMP echo has 8 bytes too
}

static size_t checksum_offset(enum frame_kind kind)
{
	if (kind == FRAME_TCP)
		return offsetof(struct tcphdr, check);
	return kind == FRAME_ICMP ? offsetof(struct icmphdr, checksum) : offsetof(struct udphdr, check);
}

static uint32_t pseudo_header(const struct frame_spec *spec, const uint8_t *src, size_t total)
{
	size_t bytes = spec->family == AF_INET6 ? 16 : 4;

	if (spec->kind == FRAME_ICMP && spec->family == AF_INET)
		return 0; // RFC 792: ICMP sums its own message only
	return add_words(src, bytes, add_words(spec->dst, bytes, protocol_of(spec) + total));
}

static size_t put_transport(const struct frame_spec *spec, const uint8_t *src, uint16_t src_port, uint8_t *at)
{
	size_t header = transport_header_bytes(spec->kind);
	size_t total = header + spec->length;
	uint32_t sum = pseudo_header(spec, src, total);
	uint16_t sealed;

	put_transport_header(spec, src_port, at);
	for (size_t i = 0; i < spec->length; i++)
		at[header + i] = i;
	// A super-packet carries the sum of its pseudo header; whoever cuts it up completes the rest.
	sealed = spec->gso ? fold(sum) : ~fold(add_words(at, total, sum));
	if (spec->kind == FRAME_UDP && !sealed)
		sealed = 0xffff; // 0 would say "no checksum"
	sealed = htons(sealed);
	memcpy(at + checksum_offset(spec->kind), &sealed, sizeof(sealed));
	return total;
}

static uint8_t offload_type(const struct frame_spec *spec)
{
	if (spec->kind == FRAME_UDP)
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	return spec->family == AF_INET6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
}

static void set_offload(const struct frame_spec *spec, size_t network, size_t transport, struct frame *frame)
{
	memset(&frame->vnet, 0, sizeof(frame->vnet));
	frame->vnet.hdr_len = spec->linear ? network + spec->linear : 0;
	if (!spec->gso)
		return;
	frame->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	frame->vnet.gso_type = offload_type(spec);
	frame->vnet.gso_size = spec->gso;
	frame->vnet.csum_start = transport;
	frame->vnet.csum_offset = checksum_offset(spec->kind);
	if (!spec->linear)
		frame->vnet.hdr_len = transport + transport_header_bytes(spec->kind);
}
