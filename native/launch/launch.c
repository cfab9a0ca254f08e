// SPDX-License-Identifier: Apache-2.0
/*
 * The `rpftrace` of the container image: runs Node's program with the capabilities that the container may have.
 *
 * A container that does not run as root loses with execve() what it was given with cap_add, unless the file that is executed
 * has these capabilities too (capabilities(7), "Transformation of capabilities during execve()"). This file has them, as
 * permitted ones only (setcap in the Dockerfile): it starts with any part of them, also with none. They are handed on as
 * ambient ones, which the next execve() leaves alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the Dockerfile has them. */
#define NODE "/usr/bin/node"
#define PROGRAM "/rpftrace/bin/rpftrace"

#define CAPABILITIES 64 /* bits in the two words of version 3 */
#define MAX_ARGUMENTS 1024

/* What is permitted becomes inheritable: nothing else can become ambient. */
static int make_inheritable(uint64_t *permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	data[0].inheritable = data[0].permitted;
	data[1].inheritable = data[1].permitted;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static int hand_on_capabilities(void)
{
	uint64_t permitted = 0;
	int capability, err = make_inheritable(&permitted);

	for (capability = 0; !err && capability < CAPABILITIES; capability++) {
		if (!(permitted >> capability & 1))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))
			err = -errno;
	}
	return err;
}

int main(int argc, char **argv)
{
	char *words[MAX_ARGUMENTS + 3] = { NODE, PROGRAM };
	int err;

	if (argc > MAX_ARGUMENTS) {
		fprintf(stderr, "rpftrace: %d arguments are too many\n", argc - 1);
		return 2;
	}
	if (argc > 1)
		memcpy(words + 2, argv + 1, (argc - 1) * sizeof(*words));
	/* The program itself says what it cannot do without them. */
	err = hand_on_capabilities();
	if (err)
		fprintf(stderr, "rpftrace: capabilities are not handed on: %s\n", strerror(-err));
	execv(NODE, words);
	fprintf(stderr, "rpftrace: %s: %s\n", NODE, strerror(errno));
	return 1;
}
