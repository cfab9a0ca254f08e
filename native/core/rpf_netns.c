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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "rpf_internal.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* v5.14, include/uapi/asm-generic/socket.h */
#endif

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

struct gathering {
	bool with_counters;
	struct inums seen;
	struct rpf_netns_counter *counters;
	size_t count;
};

static bool is_netns(const char *path)
{
	struct statfs status;

	return !statfs(path, &status) && status.f_type == NSFS_MAGIC;
}

/* In the network namespace that the thread is in. */
static uint64_t read_cookie(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t bytes = sizeof(cookie);

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &bytes))
		cookie = 0;
	close(fd);
	return cookie;
}

static int enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET))
		err = -errno;
	close(fd);
	return err;
}

/* A process's counter can be read from outside too, where entering is not allowed. */
static void read_counter(struct rpf_netns_counter *counter)
{
	char path[64];

	counter->err = enter(counter->path);
	if (!counter->err) {
		counter->netns_cookie = read_cookie();
		counter->err = read_netstat("/proc/thread-self/net/netstat", &counter->reverse_path_filter);
		return;
	}
	if (!counter->pid)
		return;
	snprintf(path, sizeof(path), "/proc/%u/net/netstat", counter->pid);
	counter->err = read_netstat(path, &counter->reverse_path_filter);
}

static int gather(struct gathering *gathering, const char *path, uint32_t pid)
{
	struct rpf_netns_counter counter = { .pid = pid }, *grown;
	struct stat status;

	if (!is_netns(path) || stat(path, &status) || !remember(&gathering->seen, status.st_ino))
		return 0;
	snprintf(counter.path, sizeof(counter.path), "%s", path);
	counter.netns = status.st_ino;
	if (gathering->with_counters)
		read_counter(&counter);
	grown = realloc(gathering->counters, (gathering->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	gathering->counters = grown;
	grown[gathering->count++] = counter;
	return 0;
}

static void gather_processes(struct gathering *gathering)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int err = 0;

	if (!proc)
		return;
	while (!err && (entry = readdir(proc))) {
		uint32_t pid = strtoul(entry->d_name, NULL, 10);
		char path[64];

		if (!pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
		err = gather(gathering, path, pid);
	}
	closedir(proc);
}

static void gather_bind_mounts(struct gathering *gathering, const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!folder)
		return;
	while (!err && (entry = readdir(folder))) {
		char mount[sizeof(gathering->counters->path)];

		if (entry->d_name[0] == '.' ||
		    snprintf(mount, sizeof(mount), "%s/%s", path, entry->d_name) >= (int)sizeof(mount))
			continue;
		err = gather(gathering, mount, 0);
	}
	closedir(folder);
}

/* In a thread of its own, which ends in whatever namespace it came to last. */
static void *gather_all(void *argument)
{
	struct gathering *gathering = argument;

	/* Our own first: it can be read without entering it. */
	gather(gathering, RPF_OWN_NETNS, getpid());
	if (gathering->count && gathering->with_counters)
		gathering->counters[0].netns_cookie = read_cookie();
	gather_processes(gathering);
	gather_bind_mounts(gathering, "/run/netns");
	gather_bind_mounts(gathering, "/run/docker/netns");
	return NULL;
}

static int find_all(bool with_counters, int (*visit)(void *context, const struct rpf_netns_counter *counter),
		    void *context)
{
	struct gathering gathering = { .with_counters = with_counters };
	pthread_t thread;
	size_t visited = 0;
	int err = -pthread_create(&thread, NULL, gather_all, &gathering);

	if (err)
		return err;
	pthread_join(thread, NULL);
	while (visited < gathering.count && !visit(context, &gathering.counters[visited]))
		visited++;
	free(gathering.counters);
	free(gathering.seen.at);
	return visited;
}

int rpf_netns_counters(int (*visit)(void *context, const struct rpf_netns_counter *counter), void *context)
{
	return find_all(true, visit, context);
}

int rpf_find_netns(int (*visit)(void *context, const struct rpf_netns_counter *found), void *context)
{
	return find_all(false, visit, context);
}

bool rpf_netns_leads_to(const char *path, uint32_t netns)
{
	struct stat status;

	return is_netns(path) && !stat(path, &status) && status.st_ino == netns;
}

static bool find_in(const char *folder, const char *suffix, uint32_t netns, char *path, size_t bytes)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	bool found = false;

	if (!entries)
		return false;
	while (!found && (entry = readdir(entries))) {
		if (entry->d_name[0] == '.' || (*suffix && !strtoul(entry->d_name, NULL, 10)))
			continue;
		if (snprintf(path, bytes, "%s/%s%s", folder, entry->d_name, suffix) < (int)bytes)
			found = rpf_netns_leads_to(path, netns);
	}
	closedir(entries);
	return found;
}

int rpf_netns_find(uint32_t netns, char *path, size_t bytes)
{
	bool found = find_in("/run/netns", "", netns, path, bytes) ||
		     find_in("/run/docker/netns", "", netns, path, bytes) ||
		     find_in("/proc", "/ns/net", netns, path, bytes);

	return found ? 0 : -ESRCH;
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

int rpf_in_netns_at(const char *path, uint32_t netns, int (*work)(void *context), void *context)
{
	struct visit visit = { .work = work, .context = context };
	struct stat status;
	pthread_t thread;
	int err;

	visit.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (visit.fd < 0)
		return -errno;
	/* A process's number may be another's by now. */
	err = fstat(visit.fd, &status) || status.st_ino != netns ? -ESRCH : 0;
	if (!err)
		err = -pthread_create(&thread, NULL, enter_and_work, &visit);
	if (!err) {
		pthread_join(thread, NULL);
		err = visit.result;
	}
	close(visit.fd);
	return err;
}

int rpf_in_netns(uint32_t netns, int (*work)(void *context), void *context)
{
	char path[256];
	int err;

	if (!netns || rpf_netns_leads_to("/proc/self/ns/net", netns))
		return work(context);
	err = rpf_netns_find(netns, path, sizeof(path));
	return err ? err : rpf_in_netns_at(path, netns, work, context);
}
