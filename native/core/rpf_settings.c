/* SPDX-License-Identifier: Apache-2.0 */
/* Reads settings under /proc/sys in the network namespace that they belong to. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpf_internal.h"

struct reading {
	const char *name;
	char *value;
	size_t bytes;
};

/* /proc/sys/net shows the settings of the namespace of the thread that opens it (net/sysctl_net.c). */
static int read_value(void *context)
{
	const struct reading *reading = context;
	char path[128];
	ssize_t bytes;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", reading->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bytes = read(fd, reading->value, reading->bytes - 1);
	close(fd);
	if (bytes < 0)
		return -errno;
	reading->value[bytes] = 0;
	reading->value[strcspn(reading->value, "\n")] = 0;
	return 0;
}

int rpf_setting(uint32_t netns, const char *name, char *value, size_t bytes)
{
	struct reading reading = { .name = name, .value = value, .bytes = bytes };

	if (strncmp(name, "net/", 4) || strstr(name, ".."))
		return -EINVAL;
	return rpf_in_netns(netns, read_value, &reading);
}
