/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the root of the cgroup v2 hierarchy, wherever it is mounted, or nowhere. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rpf_internal.h"

/* A mount of our own that is attached to no path and goes with its descriptor. fsopen() came with v5.2. */
static int open_private(void)
{
	int fs = syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC), mount, root = -1, err;

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) {
		err = -errno;
		close(fs);
		return err;
	}
	mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	err = mount < 0 ? -errno : 0;
	close(fs);
	if (mount < 0)
		return err;
	root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = root < 0 ? -errno : 0;
	close(mount);
	return root < 0 ? err : root;
}

/* The first cgroup2 mount in /proc/self/mounts. */
static int open_mounted(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char line[512], path[256], type[32];
	int fd = -ENOENT;

	if (!mounts)
		return -errno;
	while (fd < 0 && fgets(line, sizeof(line), mounts)) {
		if (sscanf(line, "%*s %255s %31s", path, type) != 2 || strcmp(type, "cgroup2"))
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	fclose(mounts);
	return fd;
}

int rpf_cgroup_root(void)
{
	int fd = open_mounted();

	return fd >= 0 ? fd : open_private();
}
