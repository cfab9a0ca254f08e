/* SPDX-License-Identifier: Apache-2.0 */
/* Filter expressions: libpcap compiles them to classic BPF, which the probe runs. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpf_error.h"
#include "rpf_filter.h"

#define SNAPSHOT_BYTES 65535
#define BLANKS " \t\n\r"

_Static_assert(sizeof(struct rpf_cbpf_insn) == sizeof(struct bpf_insn), "libpcap's instructions are ours");

static int compile(const char *expression, int optimize, struct bpf_program *program, char *message, size_t bytes)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPSHOT_BYTES);
	int err;

	if (!pcap)
		return -ENOMEM;
	err = pcap_compile(pcap, program, expression, optimize, PCAP_NETMASK_UNKNOWN) ? -EINVAL : 0;
	if (err && message)
		snprintf(message, bytes, "%s", pcap_geterr(pcap));
	pcap_close(pcap);
	return err;
}

static bool compiles(const char *expression)
{
	struct bpf_program program;

	if (compile(expression, 0, &program, NULL, 0))
		return false;
	pcap_freecode(&program);
	return true;
}

/* Can this beginning still become a valid expression? Tried with one continuation of each kind that the grammar has. */
static bool can_go_on(const char *beginning)
{
	static const char *const continuations[] = {
		"",
		" 1",
		" 1.1.1.1",
		" ::1",
		" 1.0.0.0/8",
		" 1-2",
		" 0:0:0:0:0:0",
		" tcp",
		" host 1.1.1.1",
		" port 1",
		" net 1.0.0.0/8",
		" proto 6",
		" ip",
		" [0] = 1",
		"] = 1",
		" = 1",
		" + 1 = 1",
		" < 1",
		" and tcp",
		" mask 255.0.0.0",
	};
	char *attempt = malloc(strlen(beginning) + 64);
	unsigned int i, closing;
	bool valid = false;

	if (!attempt)
		return true;
	for (i = 0; !valid && i < sizeof(continuations) / sizeof(*continuations); i++) {
		for (closing = 0; !valid && closing < 4; closing++) {
			sprintf(attempt, "%s%s%.*s", beginning, continuations[i], closing, ")))");
			valid = compiles(attempt);
		}
	}
	free(attempt);
	return valid;
}

static bool is_word(char letter)
{
	return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
	       (letter >= '0' && letter <= '9') || strchr("._-:/\\", letter);
}

static size_t token_end(const char *expression, size_t at)
{
	if (!is_word(expression[at]))
		return at + 1;
	while (expression[at] && is_word(expression[at]))
		at++;
	return at;
}

/* Finds a token from at on. Returns where it starts, and its end; the expression's length when there is none. */
static size_t next_token(const char *expression, size_t at, size_t *end)
{
	at += strspn(expression + at, BLANKS);
	*end = expression[at] ? token_end(expression, at) : at;
	return at;
}

static bool find_word(const char *expression, const char *word, size_t length, size_t *position)
{
	size_t at, end = 0;

	for (at = next_token(expression, 0, &end); expression[at]; at = next_token(expression, end, &end)) {
		if (end - at != length || strncmp(expression + at, word, length))
			continue;
		*position = at;
		return true;
	}
	return false;
}

bool rpf_filter_has_word(const char *expression, const char *word)
{
	size_t position;

	return find_word(expression, word, strlen(word), &position);
}

/*
 * libpcap quotes a word that names nothing: unknown host 'x', illegal port number. Looking for that word spares the trials
 * below, each of which would ask a name server again, and the network may be what is broken.
 */
static bool find_quoted(const char *expression, const char *message, size_t *position)
{
	const char *start = strchr(message, '\''), *end = start ? strchr(start + 1, '\'') : NULL;

	return end && end > start + 1 && find_word(expression, start + 1, end - start - 1, position);
}

static bool can_go_on_to(const char *expression, size_t end)
{
	char *beginning = strndup(expression, end);
	bool valid = !beginning || can_go_on(beginning);

	free(beginning);
	return valid;
}

struct token {
	size_t start;
	size_t end;
};

/*
 * libpcap does not say where it stumbled: find the first token after which nothing can make the expression valid. No longer
 * beginning can be completed either, so halving finds it.
 */
static size_t find_position(const char *expression)
{
	size_t length = strlen(expression), count = 0, low = 0, high, at, end = 0;
	struct token *tokens = calloc(length + 1, sizeof(*tokens));

	if (!tokens)
		return 0;
	for (at = next_token(expression, 0, &end); at < length; at = next_token(expression, end, &end))
		tokens[count++] = (struct token){ at, end };
	for (high = count; low < high;) {
		size_t middle = (low + high) / 2;

		if (can_go_on_to(expression, tokens[middle].end))
			low = middle + 1;
		else
			high = middle;
	}
	at = low < count ? tokens[low].start : length; /* length: the expression stops too early */
	free(tokens);
	return at;
}

int rpf_filter_check(const char *expression, char *message, size_t bytes, size_t *position)
{
	struct bpf_program program;
	int err = compile(expression, 1, &program, message, bytes);

	if (!err && program.bf_len > RPF_CBPF_MAX) {
		snprintf(message, bytes, "expression needs %u instructions, at most %u fit", program.bf_len,
			 RPF_CBPF_MAX);
		*position = 0;
		pcap_freecode(&program);
		return -EINVAL;
	}
	if (!err) {
		pcap_freecode(&program);
		return 0;
	}
	if (!find_quoted(expression, message, position))
		*position = find_position(expression);
	return err;
}

int rpf_filter_compile(const char *expression, struct rpf_cbpf_insn *insns, struct rpf_error *error)
{
	struct bpf_program program;
	char message[256] = "";
	unsigned int length;
	size_t position;

	if (rpf_filter_check(expression, message, sizeof(message), &position))
		return rpf_fail(error, -EINVAL, "E_EXPRESSION", "filter expression, at byte %zu: %s",
				position, message);
	if (compile(expression, 1, &program, message, sizeof(message)))
		return rpf_fail(error, -EINVAL, "E_EXPRESSION", "filter expression: %s", message);
	length = program.bf_len;
	memcpy(insns, program.bf_insns, length * sizeof(*insns));
	pcap_freecode(&program);
	return length;
}
