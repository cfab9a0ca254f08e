/* SPDX-License-Identifier: Apache-2.0 */
/* Our interpreter against libpcap's: the same verdict for every expression on every packet, cut off or not. */
#include "cbpf_run.h"
#include "check.h"

#define PACKETS 4000
#define PACKET_BYTES 400 /* more than the interpreter sees */

static const char *const expressions[] = {
	"ip",
	"ip6",
	"arp",
	"tcp",
	"udp port 53",
	"tcp dst port 443",
	"src host 10.244.3.136",
	"host 10.0.0.1 or host 10.0.0.2 or host 10.244.3.136",
	"net 10.244.0.0/16 and not dst net 10.244.0.0/16",
	"ip6 host fd00::1",
	"ip6 net fd00::/8",
	"portrange 1000-2000",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"icmp[icmptype] = icmp-echo",
	"ip[2:2] > 100 and ip[8] < 64",
	"ip[0] & 0xf != 5",
	"len > 200",
	"greater 100 and less 300",
	"vlan 100 and udp",
	"ip proto 47 or ip6 proto 47",
	"ether[12:2] = 0x0800",
	"ip[(ip[0] & 0xf) * 4 + 2:2] = 443",
	"udp[4:2] % 3 = 1",
	"(ip[6:2] & 0x1fff) << 3 > 8",
	"not (tcp or udp)",
};

static __u32 random_state = 1;

/* xorshift32: the same packets in every run. */
static __u32 random_below(__u32 bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

static void put16(__u8 *at, __u32 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static __u32 put_ethertype(__u8 *packet, __u32 type)
{
	packet[12] = 0;
	if (random_below(8)) {
		put16(packet + 12, type);
		return 14;
	}
	put16(packet + 12, 0x8100);
	put16(packet + 14, random_below(2) ? 100 : random_below(4096));
	put16(packet + 16, type);
	return 18;
}

/* A packet that the expressions have a chance with: likely values where they look, noise elsewhere. */
static void make_packet(__u8 *packet)
{
	static const __u16 types[] = { 0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806 };
	static const __u8 protocols[] = { 1, 6, 6, 17, 17, 47, 58 };
	static const __u16 ports[] = { 53, 443, 1500, 8080 };
	static const __u8 pod[] = { 10, 244, 3, 136 };
	__u32 type = types[random_below(6)], i, at, transport;

	for (i = 0; i < PACKET_BYTES; i++)
		packet[i] = random_below(256);
	at = put_ethertype(packet, type);
	transport = at + 40;
	if (type == 0x0800) {
		packet[at] = random_below(8) ? 0x45 : 0x46;
		packet[at + 6] = random_below(4) ? 0 : packet[at + 6];
		packet[at + 7] = random_below(4) ? 0 : packet[at + 7];
		packet[at + 9] = protocols[random_below(7)];
		if (random_below(2))
			memcpy(packet + at + 12, pod, 4);
		if (random_below(4) == 0)
			memcpy(packet + at + 16, pod, 4);
		transport = at + (packet[at] & 15) * 4;
	} else if (type == 0x86dd) {
		packet[at] = 0x60;
		packet[at + 6] = protocols[random_below(7)];
		memset(packet + at + 8, 0, 16);
		packet[at + 8] = 0xfd;
		packet[at + 23] = random_below(3);
	}
	if (random_below(2))
		put16(packet + transport, ports[random_below(4)]);
	if (random_below(2))
		put16(packet + transport + 2, ports[random_below(4)]);
	if (random_below(4) == 0)
		packet[transport] = 8; /* icmp-echo */
}

static void compare(const char *expression)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program;
	__u8 packet[PACKET_BYTES];
	int accepted = 0, i;

	random_state = 1;
	if (!pcap || pcap_compile(pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN)) {
		fprintf(stderr, "%s: does not compile\n", expression);
		exit(EXIT_FAILURE);
	}
	for (i = 0; i < PACKETS; i++) {
		__u32 wire = 14 + random_below(PACKET_BYTES - 14), captured = wire, ours, theirs;

		make_packet(packet);
		if (random_below(4) == 0)
			captured = random_below(wire + 1);
		if (captured > RPF_CBPF_BYTES)
			captured = RPF_CBPF_BYTES;
		ours = run_ours(&program, packet, captured, wire);
		theirs = run_libpcaps(&program, packet, captured, wire);
		accepted += !!theirs;
		if (ours != theirs) {
			fprintf(stderr, "%s: packet %d (%u of %u bytes): %u, libpcap says %u\n", expression,
				i, captured, wire, ours, theirs);
			rpf_failures++;
		}
	}
	/* An expression that takes all packets or none would prove nothing. */
	if (!accepted || accepted == PACKETS)
		fprintf(stderr, "%s: accepted %d of %d packets\n", expression, accepted, PACKETS);
	CHECK(accepted && accepted < PACKETS);
	pcap_freecode(&program);
	pcap_close(pcap);
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(expressions) / sizeof(*expressions); i++)
		compare(expressions[i]);
	return RPF_CHECK_RESULT;
}
