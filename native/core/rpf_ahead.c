/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading ahead: the kernel takes its time to look at the programs, and a process that starts has other work to do meanwhile.
 * A thread loads, and rpf_open() takes over what it has loaded.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "rpf_internal.h"

struct ahead {
	pthread_t thread;
	struct rpf_config config;
	struct rpf_tracer *tracer; /* once the thread has ended: NULL with an error */
	struct rpf_error error;
	int err;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what is below: any thread may open a tracer */
static struct ahead *under_way;

static void *load(void *argument)
{
	struct ahead *ahead = argument;

	ahead->err = rpf_load(&ahead->config, &ahead->tracer, &ahead->error);
	return NULL;
}

/* Signals are for the threads that were there before. */
static int start_thread(struct ahead *ahead)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&ahead->thread, NULL, load, ahead);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static struct ahead *exchange(struct ahead *with)
{
	struct ahead *was;

	pthread_mutex_lock(&lock);
	was = under_way;
	under_way = with;
	pthread_mutex_unlock(&lock);
	return was;
}

/* Waits for the thread. */
static void forget(struct ahead *ahead)
{
	if (!ahead)
		return;
	pthread_join(ahead->thread, NULL);
	rpf_close(ahead->tracer);
	free(ahead);
}

int rpf_load_ahead(const struct rpf_config *config)
{
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	int err;

	if (!ahead)
		return -ENOMEM;
	ahead->config = *config;
	if (config->expression)
		ahead->config.expression = ""; /* the caller's memory, and which one it is need not be known to load */
	err = start_thread(ahead);
	if (err)
		free(ahead);
	else
		forget(exchange(ahead));
	return err;
}

void rpf_forget_ahead(void)
{
	forget(exchange(NULL));
}

/* Which filters there are, total_pairs, interval_ms and whole_per_flow are set later. */
static bool loads_alike(const struct rpf_config *a, const struct rpf_config *b)
{
	return a->every == b->every && a->probe_read == b->probe_read && a->legacy == b->legacy &&
	       a->backend == b->backend && a->kfree_skb_arguments == b->kfree_skb_arguments &&
	       a->snaplen == b->snaplen && a->ring_bytes == b->ring_bytes && a->flow_slots == b->flow_slots &&
	       !a->expression == !b->expression;
}

int rpf_take_loaded(const struct rpf_config *config, struct rpf_tracer **tracer, struct rpf_error *error)
{
	struct ahead *ahead = exchange(NULL);
	int err;

	if (!ahead)
		return 0;
	if (!loads_alike(config, &ahead->config)) {
		forget(ahead);
		return 0;
	}
	pthread_join(ahead->thread, NULL);
	*tracer = ahead->tracer;
	err = ahead->err;
	if (err && error)
		*error = ahead->error;
	free(ahead);
	return err ? err : 1;
}
