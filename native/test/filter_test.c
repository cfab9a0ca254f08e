/* SPDX-License-Identifier: Apache-2.0 */
/* Filter expressions: what is valid, and where a broken one breaks. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "rpf_filter.h"

static void accepts(const char *expression)
{
	char message[256] = "";
	size_t position;
	int err = rpf_filter_check(expression, message, sizeof(message), &position);

	if (err)
		fprintf(stderr, "\"%s\" is refused at %zu: %s\n", expression, position, message);
	CHECK(!err);
}

/* marked: the expression, and below it a caret where it breaks. */
static void refuses(const char *expression, const char *marker)
{
	char message[256] = "";
	size_t position = 9999, expected = strchr(marker, '^') - marker;
	int err = rpf_filter_check(expression, message, sizeof(message), &position);

	if (err != -EINVAL || position != expected)
		fprintf(stderr, "%s\n%s\n%d at byte %zu: %s\n", expression, marker, err, position, message);
	CHECK_EQUAL(err, -EINVAL);
	CHECK_EQUAL(position, expected);
	CHECK(message[0]);
}

static void takes_what_tcpdump_takes(void)
{
	accepts("");
	accepts("tcp and dst port 443");
	accepts("host 10.244.3.136 and not (udp port 53 or icmp)");
	accepts("ip6 net fd00::/8");
	accepts("tcp[tcpflags] & tcp-syn != 0");
	accepts("vlan 100");
}

static void marks_where_it_breaks(void)
{
	refuses("tcp and dst port nosuchport", "                 ^");
	refuses("ip proto nosuchproto and tcp", "         ^");
	refuses("tcp tcp", "    ^");
	refuses("host", "    ^");
	refuses("(tcp or udp", "           ^");
	refuses("tcp) and udp", "   ^");
	refuses("port 99999", "     ^");
	refuses("host 1.2.3.400", "     ^");
	refuses("and tcp", "^");
}

/* libpcap makes some six instructions of each address: hundreds of them do not fit into the probe. */
static void refuses_what_does_not_fit(void)
{
	struct rpf_cbpf_insn insns[RPF_CBPF_MAX];
	struct rpf_error error = { 0 };
	char expression[16384] = "host 10.0.0.1", message[256] = "";
	size_t position = 9999, length = strlen(expression);
	int i;

	CHECK(rpf_filter_compile(expression, insns, &error) > 0);
	for (i = 2; i < 255; i++)
		length += sprintf(expression + length, " or host 10.0.%d.%d", i % 7, i);
	CHECK_EQUAL(rpf_filter_check(expression, message, sizeof(message), &position), -EINVAL);
	CHECK(strstr(message, "instructions"));
	CHECK_EQUAL(rpf_filter_compile(expression, insns, &error), -EINVAL);
	CHECK(strstr(error.message, "instructions"));
}

static void keeps_to_the_message_buffer(void)
{
	char message[8] = "";
	size_t position;

	CHECK_EQUAL(rpf_filter_check("tcp and", message, sizeof(message), &position), -EINVAL);
	CHECK(memchr(message, 0, sizeof(message)));
}

int main(void)
{
	takes_what_tcpdump_takes();
	marks_where_it_breaks();
	refuses_what_does_not_fit();
	keeps_to_the_message_buffer();
	return RPF_CHECK_RESULT;
}
