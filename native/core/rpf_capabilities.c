/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up capabilities. They belong to threads, not to the process (capabilities(7)), and a process with Node in it has a
 * dozen threads before the first line of ours runs. So each of them is made to give up its own, by a signal, as glibc does for
 * setuid() (nptl/setxid). A thread that is made later has what its maker has.
 */
#include "rpf_capabilities.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rpf_internal.h"

/*
 * The one by which glibc spreads setuid(): no thread can block it, as glibc takes it out of every mask, and Node has a thread
 * that blocks all others. It is given back afterwards.
 */
#define SPREAD_SIGNAL (SIGRTMIN - 1)
#define LAST_CAPABILITY 63
#define DEADLINE_MS 1000 /* a thread that waits for a disk does not take signals */
#define MAX_THREADS 512

/* struct sigaction as the kernel has it, of which only the size matters: 32 bytes on x86-64 and arm64. */
struct kernel_action {
	uint64_t words[4];
};

struct capability_sets {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
};

static pthread_mutex_t spreading = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t kept; /* read in the signal handler */

static int get_sets(struct capability_sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*sets = (struct capability_sets){
		.effective = data[0].effective | (uint64_t)data[1].effective << 32,
		.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
		.inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
	return 0;
}

static int set_sets(const struct capability_sets *sets)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[2] = {
		{ sets->effective, sets->permitted, sets->inheritable },
		{ sets->effective >> 32, sets->permitted >> 32, sets->inheritable >> 32 },
	};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int rpf_capabilities(uint64_t *effective)
{
	struct capability_sets sets = { 0 };
	int err = get_sets(&sets);

	if (!err)
		*effective = sets.effective;
	return err;
}

int rpf_set_effective(uint64_t effective)
{
	struct capability_sets sets = { 0 };
	int err = get_sets(&sets);

	sets.effective = effective & sets.permitted;
	return err ? err : set_sets(&sets);
}

/* What a program that is executed could get: nothing, be it root's or a setuid one. Takes CAP_SETPCAP, as far as it goes. */
static void forbid_to_children(void)
{
	int capability;

	for (capability = 0; capability <= LAST_CAPABILITY; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
			break; /* past the last one that this kernel knows, or not allowed */
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Of the calling thread. Only system calls: it runs in a signal handler. */
static int give_up(uint64_t keep)
{
	struct capability_sets sets = { 0 };
	int err = get_sets(&sets);

	if (err)
		return err;
	forbid_to_children();
	sets.effective &= keep;
	sets.permitted &= keep;
	sets.inheritable = 0; /* and with it what is ambient */
	return set_sets(&sets);
}

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	give_up(kept);
	errno = saved;
}

static int kernel_sigaction(int number, const struct kernel_action *action, struct kernel_action *before)
{
	return syscall(SYS_rt_sigaction, number, action, before, sizeof(uint64_t)) ? -errno : 0;
}

/*
 * sigaction() refuses signals that glibc keeps for itself. So the handler is first set for one that it does not refuse, and then
 * what that has become in the kernel, with glibc's way back from a handler, is set for ours.
 */
static int take_signal(struct kernel_action *before)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, other;
	struct kernel_action ours;
	int err;

	sigfillset(&action.sa_mask);
	if (sigaction(SIGRTMIN, &action, &other))
		return -errno;
	err = kernel_sigaction(SIGRTMIN, NULL, &ours);
	if (sigaction(SIGRTMIN, &other, NULL) && !err)
		err = -errno;
	return err ? err : kernel_sigaction(SPREAD_SIGNAL, &ours, before);
}

/* -ESRCH: the thread has ended. */
static int permitted_of(pid_t thread, uint64_t *permitted)
{
	char path[64], line[128];
	FILE *status;
	int err = -ESRCH;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
	status = fopen(path, "re");
	if (!status)
		return errno == ENOENT ? -ESRCH : -errno;
	while (err && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "CapPrm: %" SCNx64, permitted) == 1)
			err = 0;
	}
	fclose(status);
	return err;
}

struct signalled {
	pid_t threads[MAX_THREADS];
	size_t count;
};

/* Once to each thread: a signal that came late would meet the handler that was there before. */
static void signal_once(struct signalled *signalled, pid_t thread)
{
	size_t i;

	for (i = 0; i < signalled->count; i++) {
		if (signalled->threads[i] == thread)
			return;
	}
	if (signalled->count == MAX_THREADS)
		return;
	signalled->threads[signalled->count++] = thread;
	syscall(SYS_tgkill, getpid(), thread, SPREAD_SIGNAL);
}

/* Returns how many threads may still do more than they should. */
static int look_at_threads(struct signalled *signalled)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int remaining = 0, err = 0;

	if (!tasks)
		return -errno;
	while ((entry = readdir(tasks))) {
		pid_t thread = strtoul(entry->d_name, NULL, 10);
		uint64_t permitted = 0;

		if (!thread)
			continue;
		err = permitted_of(thread, &permitted);
		if (err == -ESRCH || (!err && !(permitted & ~kept)))
			continue;
		if (err)
			break;
		signal_once(signalled, thread);
		remaining++;
	}
	closedir(tasks);
	return err && err != -ESRCH ? err : remaining;
}

/* One that was not seen may have been made, before its own turn, by one that was: so twice nothing. */
static int wait_for_threads(struct signalled *signalled)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	uint64_t deadline_ns = rpf_now_ns() + DEADLINE_MS * 1000000ULL;
	int remaining, clean = 0;

	for (;;) {
		remaining = look_at_threads(signalled);
		if (remaining < 0)
			return remaining;
		clean = remaining ? 0 : clean + 1;
		if (clean == 2)
			return 0;
		if (rpf_now_ns() > deadline_ns)
			return -ETIMEDOUT;
		if (remaining)
			nanosleep(&pause, NULL);
	}
}

static int spread(uint64_t keep)
{
	struct signalled signalled = { .count = 0 };
	struct kernel_action before;
	int err;

	kept = keep;
	err = take_signal(&before);
	if (err)
		return err;
	err = give_up(keep);
	if (!err) {
		err = wait_for_threads(&signalled);
		/* A thread that has not taken its signal yet must find our handler, whenever it does. */
		if (err)
			return err;
	}
	kernel_sigaction(SPREAD_SIGNAL, &before, NULL);
	return err;
}

/*
 * Whether the kernel lets us use the maps and programs that we hold with no more than these: before v5.19 it did not where
 * kernel.unprivileged_bpf_disabled is set, without CAP_BPF (c8644cd0efe7).
 */
static bool suffice(const struct rpf_tracer *tracer, uint64_t capabilities, uint64_t effective)
{
	struct bpf_prog_info info = { 0 };
	uint32_t bytes = sizeof(info);
	bool refused;

	if (rpf_set_effective(effective & capabilities))
		return false;
	refused = bpf_obj_get_info_by_fd(tracer->program_fd, &info, &bytes) && errno == EPERM;
	rpf_set_effective(effective);
	return !refused;
}

int rpf_give_up_capabilities(struct rpf_tracer *tracer, uint64_t keep, struct rpf_error *error)
{
	uint64_t effective;
	int err = rpf_capabilities(&effective);

	if (err)
		return rpf_fail(error, err, "E_INTERNAL", "capabilities cannot be read: %s", strerror(-err));
	if (!suffice(tracer, keep, effective))
		keep |= RPF_CAPABILITY(CAP_BPF);
	if (tracer->symbol_fd < 0 && !tracer->kallsyms) /* addresses in /proc/kallsyms: kernel.kptr_restrict */
		keep |= RPF_CAPABILITY(CAP_SYSLOG);
	pthread_mutex_lock(&spreading);
	err = spread(keep);
	pthread_mutex_unlock(&spreading);
	if (!err)
		return 0;
	return rpf_fail(error, err, "E_INTERNAL", "a thread has not given up its capabilities: %s",
			strerror(-err));
}
