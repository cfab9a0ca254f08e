/* SPDX-License-Identifier: Apache-2.0 */
/* Header parsing: what is read, and what is said of headers that are absent, short, nonlinear or impossible. */
#include "check.h"
#include "packet.h"

/* 10.244.3.136:38112 > 10.96.0.1:443, SYN, TTL 63 */
static const __u8 tcp4[] = {
	0x45, 0,    0,	  40,	0, 1, 0, 0, 63, 6, 0, 0, 10,   244,  3,	   136,	 10, 96, 0, 1,
	0x94, 0xe0, 0x01, 0xbb, 0, 0, 0, 1, 0,	0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0,  0,	 0, 0,
};

/* fd00::1 > fd00::2, hop-by-hop options, then UDP 1000 > 53, hop limit 64 */
static const __u8 udp6[] = {
	0x60, 0, 0, 0, 0, 16, 0, 64, 0xfd, 0, 0, 0, 0,	0, 0, 0, 0, 0, 0, 0, 0,	   0,	 0, 1,	0xfd, 0, 0, 0,
	0,    0, 0, 0, 0, 0,  0, 0,  0,	   0, 0, 2, 17, 0, 1, 4, 0, 0, 0, 0, 0x03, 0xe8, 0, 53, 0,    8, 0, 0,
};

static void reads_tcp_over_ipv4(void)
{
	struct rpf_packet packet = parse(tcp4, sizeof(tcp4), sizeof(tcp4), RPF_ETH_P_IP);

	CHECK_EQUAL(packet.flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_L4 | RPF_TCP_FLAGS);
	CHECK_EQUAL(packet.ethertype, RPF_ETH_P_IP);
	CHECK_EQUAL(packet.family, 4);
	CHECK_EQUAL(packet.protocol, RPF_PROTO_TCP);
	CHECK_EQUAL(packet.ttl, 63);
	CHECK_EQUAL(packet.src_port, 38112);
	CHECK_EQUAL(packet.dst_port, 443);
	CHECK_EQUAL(packet.tcp_flags, 0x02);
	CHECK(!memcmp(packet.src, tcp4 + 12, 4));
	CHECK(!memcmp(packet.dst, tcp4 + 16, 4));
}

static void looks_through_ipv6_extensions(void)
{
	struct rpf_packet packet = parse(udp6, sizeof(udp6), sizeof(udp6), RPF_ETH_P_IPV6);

	CHECK_EQUAL(packet.flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_L4);
	CHECK_EQUAL(packet.family, 6);
	CHECK_EQUAL(packet.protocol, RPF_PROTO_UDP);
	CHECK_EQUAL(packet.ttl, 64);
	CHECK_EQUAL(packet.src_port, 1000);
	CHECK_EQUAL(packet.dst_port, 53);
	CHECK(!memcmp(packet.src, udp6 + 8, 16));
	CHECK(!memcmp(packet.dst, udp6 + 24, 16));
}

static void looks_through_two_vlan_tags(void)
{
	__u8 tagged[8 + sizeof(tcp4)] = { 0x20, 0x64, 0x81, 0x00, 0, 7, 0x08, 0x00 };
	struct rpf_packet packet;

	memcpy(tagged + 8, tcp4, sizeof(tcp4));
	packet = parse(tagged, sizeof(tagged), sizeof(tagged), RPF_ETH_P_8021AD);
	CHECK(packet.flags & RPF_VLAN);
	CHECK_EQUAL(packet.vlan_id, 0x64); /* the outer one, without priority */
	CHECK_EQUAL(packet.ethertype, RPF_ETH_P_IP);
	CHECK_EQUAL(packet.dst_port, 443);
}

static void reads_icmp(void)
{
	__u8 ping[28];
	struct rpf_packet packet;

	memcpy(ping, tcp4, 20);
	ping[9] = RPF_PROTO_ICMP;
	memset(ping + 20, 0, 8);
	ping[20] = 8;
	ping[21] = 3;
	packet = parse(ping, sizeof(ping), sizeof(ping), RPF_ETH_P_IP);
	CHECK_EQUAL(packet.flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_L4);
	CHECK_EQUAL(packet.icmp_type, 8);
	CHECK_EQUAL(packet.icmp_code, 3);
	CHECK_EQUAL(packet.src_port, 0);
}

static void tells_short_from_nonlinear(void)
{
	CHECK_EQUAL(parse(tcp4, 19, 19, RPF_ETH_P_IP).flags, RPF_L3_SHORT);
	CHECK_EQUAL(parse(tcp4, 19, 40, RPF_ETH_P_IP).flags, RPF_L3_NONLINEAR);
	CHECK_EQUAL(parse(tcp4, 22, 22, RPF_ETH_P_IP).flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_L4_SHORT);
	CHECK_EQUAL(parse(tcp4, 22, 40, RPF_ETH_P_IP).flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_L4_NONLINEAR);
	CHECK_EQUAL(parse(tcp4, 24, 24, RPF_ETH_P_IP).flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_L4 | RPF_L4_SHORT);
	CHECK_EQUAL(parse(udp6, 39, 39, RPF_ETH_P_IPV6).flags, RPF_L3_SHORT);
	CHECK_EQUAL(parse(udp6, 44, 44, RPF_ETH_P_IPV6).flags, RPF_L3 | RPF_L4_SHORT);
	CHECK_EQUAL(parse(udp6, 44, 56, RPF_ETH_P_IPV6).flags, RPF_L3 | RPF_L4_NONLINEAR);
}

static void refuses_impossible_headers(void)
{
	__u8 broken[sizeof(tcp4)];

	memcpy(broken, tcp4, sizeof(tcp4));
	broken[0] = 0x44; /* 4 words: shorter than an IPv4 header can be */
	CHECK_EQUAL(parse(broken, sizeof(broken), sizeof(broken), RPF_ETH_P_IP).flags, RPF_L3_MALFORMED);
	broken[0] = 0x65;
	CHECK_EQUAL(parse(broken, sizeof(broken), sizeof(broken), RPF_ETH_P_IP).flags, RPF_L3_MALFORMED);
	CHECK_EQUAL(parse(tcp4, sizeof(tcp4), sizeof(tcp4), RPF_ETH_P_IPV6).flags, RPF_L3_MALFORMED);
}

static void says_when_there_is_no_ip(void)
{
	struct rpf_packet packet = parse(tcp4, sizeof(tcp4), sizeof(tcp4), 0x0806);

	CHECK_EQUAL(packet.flags, RPF_L3_ABSENT);
	CHECK_EQUAL(packet.ethertype, 0x0806);
	CHECK_EQUAL(packet.family, 0);
}

static void later_fragments_have_no_ports(void)
{
	__u8 fragment[sizeof(tcp4)];
	struct rpf_packet packet;

	memcpy(fragment, tcp4, sizeof(tcp4));
	fragment[6] = 0x20; /* the first one: more follow */
	packet = parse(fragment, sizeof(fragment), sizeof(fragment), RPF_ETH_P_IP);
	CHECK(packet.flags & RPF_FRAGMENT);
	CHECK_EQUAL(packet.dst_port, 443);

	fragment[7] = 2;
	packet = parse(fragment, sizeof(fragment), sizeof(fragment), RPF_ETH_P_IP);
	CHECK_EQUAL(packet.flags, RPF_L3 | RPF_L4_PROTOCOL | RPF_FRAGMENT);
	CHECK_EQUAL(packet.fragment_offset, 16);
	CHECK_EQUAL(packet.dst_port, 0);
}

int main(void)
{
	reads_tcp_over_ipv4();
	looks_through_ipv6_extensions();
	looks_through_two_vlan_tags();
	reads_icmp();
	tells_short_from_nonlinear();
	refuses_impossible_headers();
	says_when_there_is_no_ip();
	later_fragments_have_no_ports();
	return RPF_CHECK_RESULT;
}
