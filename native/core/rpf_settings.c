/* SPDX-License-Identifier: Apache-2.0 */
/* Reads settings under /proc/sys in the network namespace that they belong to. */
#include <dirent.h>
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

int rpf_read_line(int folder, const char *path, char *value, size_t bytes)
{
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;
	int err = 0;

	if (fd < 0)
		return -errno;
	length = read(fd, value, bytes - 1);
	if (length < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	value[length] = 0;
	value[strcspn(value, "\n")] = 0;
	return 0;
}

/* /proc/sys/net shows the settings of the namespace of the thread that opens it (net/sysctl_net.c). */
static int read_value(void *context)
{
	const struct reading *reading = context;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/%s", reading->name);
	return rpf_read_line(AT_FDCWD, path, reading->value, reading->bytes);
}

int rpf_setting(uint32_t netns, const char *name, char *value, size_t bytes)
{
	struct reading reading = { .name = name, .value = value, .bytes = bytes };

	if (strncmp(name, "net/", 4) || strstr(name, ".."))
		return -EINVAL;
	return rpf_in_netns(netns, read_value, &reading);
}

struct listing {
	const char *setting;
	int (*visit)(void *context, const char *device, const char *value);
	void *context;
};

/* A device that goes while we read has no value: it is left out. */
static int list_values(void *context)
{
	const struct listing *listing = context;
	DIR *devices = opendir("/proc/sys/net/ipv4/conf");
	struct dirent *entry;

	if (!devices)
		return -errno;
	while ((entry = readdir(devices))) {
		char path[300], value[64];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", entry->d_name, listing->setting);
		if (!rpf_read_line(dirfd(devices), path, value, sizeof(value)) &&
		    listing->visit(listing->context, entry->d_name, value))
			break;
	}
	closedir(devices);
	return 0;
}

int rpf_settings(uint32_t netns, const char *setting,
		 int (*visit)(void *context, const char *device, const char *value), void *context)
{
	struct listing listing = { .setting = setting, .visit = visit, .context = context };

	if (!*setting || strchr(setting, '/'))
		return -EINVAL;
	return rpf_in_netns(netns, list_values, &listing);
}
