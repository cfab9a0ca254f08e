/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel's own reverse path counter of every network namespace that can be seen from here: those of processes
 * through /proc, those without a process through their bind mounts. None is held open, so none lives longer for us.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "rpf_internal.h"

#define COUNTER "IPReversePathFilter"
#define NETSTAT_BYTES 16384 /* /proc/net/netstat has some 5 KiB */

struct inums {
	uint32_t *at;
	size_t count;
	size_t room;
};

/* true: inum is new, and remembered now. */
static bool remember(struct inums *seen, uint32_t inum)
{
	size_t i;

	for (i = 0; i < seen->count; i++) {
		if (seen->at[i] == inum)
			return false;
	}
	if (seen->count == seen->room) {
		size_t room = seen->room ? seen->room * 2 : 64;
		uint32_t *grown = realloc(seen->at, room * sizeof(*grown));

		if (!grown)
			return false;
		seen->at = grown;
		seen->room = room;
	}
	seen->at[seen->count++] = inum;
	return true;
}

/* The n-th word of a line that ends with \n or the end of the text. Returns its length, 0 when there is none. */
static size_t word_at(const char *line, unsigned int n, const char **word)
{
	for (;;) {
		line += strspn(line, " ");
		*word = line;
		line += strcspn(line, " \n");
		if (line == *word)
			return 0;
		if (!n--)
			return line - *word;
	}
}

/* /proc/net/netstat: a line of names and a line of values, both headed "TcpExt:". */
static int parse_netstat(const char *text, uint64_t *value)
{
	const char *names = strstr(text, "TcpExt:"), *values, *word;
	unsigned int n;
	size_t length;

	values = names ? strstr(names + 1, "TcpExt:") : NULL;
	if (!values)
		return -EPROTO;
	for (n = 0; (length = word_at(names, n, &word)); n++) {
		if (length != strlen(COUNTER) || strncmp(word, COUNTER, length))
			continue;
		if (!word_at(values, n, &word))
			return -EPROTO;
		*value = strtoull(word, NULL, 10);
		return 0;
	}
	return -ENOENT;
}

static int read_netstat(const char *path, uint64_t *value)
{
	char *text = malloc(NETSTAT_BYTES);
	ssize_t bytes, used = 0;
	int fd, err;

	if (!text)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		goto out_free;
	}
	while ((bytes = read(fd, text + used, NETSTAT_BYTES - 1 - used)) > 0)
		used += bytes;
	text[used] = 0;
	err = bytes < 0 ? -errno : parse_netstat(text, value);
	close(fd);
out_free:
	free(text);
	return err;
}

static int visit_processes(struct inums *seen, int (*visit)(void *, const struct rpf_netns_counter *),
			   void *context, int *visited)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int stop = 0;

	if (!proc)
		return 0;
	while (!stop && (entry = readdir(proc))) {
		struct rpf_netns_counter counter = { 0 };
		struct stat status;
		char path[64];

		counter.pid = strtoul(entry->d_name, NULL, 10);
		if (!counter.pid)
			continue;
		snprintf(counter.path, sizeof(counter.path), "/proc/%u/ns/net", counter.pid);
		if (stat(counter.path, &status) || !remember(seen, status.st_ino))
			continue;
		counter.netns = status.st_ino;
		snprintf(path, sizeof(path), "/proc/%u/net/netstat", counter.pid);
		counter.err = read_netstat(path, &counter.reverse_path_filter);
		(*visited)++;
		stop = visit(context, &counter);
	}
	closedir(proc);
	return stop;
}

struct bind_mounts {
	struct inums *seen;
	struct rpf_netns_counter *counters;
	size_t count;
};

static bool is_netns(const char *path)
{
	struct statfs status;

	return !statfs(path, &status) && status.f_type == NSFS_MAGIC;
}

static int enter_and_read(const char *path, uint64_t *value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	return err ? err : read_netstat("/proc/thread-self/net/netstat", value);
}

static int read_bind_mount(struct bind_mounts *mounts, const char *folder, const char *name)
{
	struct rpf_netns_counter counter = { 0 }, *grown;
	struct stat status;

	if (snprintf(counter.path, sizeof(counter.path), "%s/%s", folder, name) >= (int)sizeof(counter.path))
		return 0;
	if (!is_netns(counter.path) || stat(counter.path, &status) || !remember(mounts->seen, status.st_ino))
		return 0;
	counter.netns = status.st_ino;
	counter.err = enter_and_read(counter.path, &counter.reverse_path_filter);
	grown = realloc(mounts->counters, (mounts->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	mounts->counters = grown;
	grown[mounts->count++] = counter;
	return 0;
}

/* In a thread of its own, which ends in whatever namespace it came to last. */
static void *read_bind_mounts(void *argument)
{
	static const char *const folders[] = { "/run/netns", "/run/docker/netns" };
	size_t i;

	for (i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		DIR *folder = opendir(folders[i]);
		struct dirent *entry;

		if (!folder)
			continue;
		while ((entry = readdir(folder))) {
			if (entry->d_name[0] != '.' && read_bind_mount(argument, folders[i], entry->d_name))
				break;
		}
		closedir(folder);
	}
	return NULL;
}

int rpf_netns_counters(int (*visit)(void *context, const struct rpf_netns_counter *counter), void *context)
{
	struct inums seen = { 0 };
	struct bind_mounts mounts = { .seen = &seen };
	pthread_t thread;
	int visited = 0, err = 0;
	size_t i;

	if (visit_processes(&seen, visit, context, &visited))
		goto out;
	err = -pthread_create(&thread, NULL, read_bind_mounts, &mounts);
	if (err)
		goto out;
	pthread_join(thread, NULL);
	for (i = 0; i < mounts.count; i++) {
		visited++;
		if (visit(context, &mounts.counters[i]))
			break;
	}
out:
	free(mounts.counters);
	free(seen.at);
	return err ? err : visited;
}

/* A path by which a namespace can be entered. */
struct sought {
	uint32_t netns;
	char path[256];
};

static bool leads_to(const char *path, uint32_t netns)
{
	struct stat status;

	return is_netns(path) && !stat(path, &status) && status.st_ino == netns;
}

static bool find_in(const char *folder, const char *suffix, struct sought *sought)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	bool found = false;

	if (!entries)
		return false;
	while (!found && (entry = readdir(entries))) {
		if (entry->d_name[0] == '.' || (*suffix && !strtoul(entry->d_name, NULL, 10)))
			continue;
		if (snprintf(sought->path, sizeof(sought->path), "%s/%s%s", folder, entry->d_name, suffix) <
		    (int)sizeof(sought->path))
			found = leads_to(sought->path, sought->netns);
	}
	closedir(entries);
	return found;
}

struct visit {
	int fd;
	int (*work)(void *context);
	void *context;
	int result;
};

static void *enter_and_work(void *argument)
{
	struct visit *visit = argument;

	visit->result = setns(visit->fd, CLONE_NEWNET) ? -errno : visit->work(visit->context);
	return NULL;
}

int rpf_in_netns(uint32_t netns, int (*work)(void *context), void *context)
{
	struct visit visit = { .work = work, .context = context };
	struct sought sought = { .netns = netns };
	pthread_t thread;
	int err;

	if (!netns || leads_to("/proc/self/ns/net", netns))
		return work(context);
	if (!find_in("/run/netns", "", &sought) && !find_in("/run/docker/netns", "", &sought) &&
	    !find_in("/proc", "/ns/net", &sought))
		return -ESRCH;
	visit.fd = open(sought.path, O_RDONLY | O_CLOEXEC);
	if (visit.fd < 0)
		return -errno;
	err = -pthread_create(&thread, NULL, enter_and_work, &visit);
	if (!err) {
		pthread_join(thread, NULL);
		err = visit.result;
	}
	close(visit.fd);
	return err;
}
