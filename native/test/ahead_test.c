/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading ahead, as far as these privileges go: what a tracer is opened with, or why not, is the same as without. Run as
 * root it loads the programs.
 */
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "rpf_internal.h"

#define THREADS 3

/* What opening comes to here: 0, or the error. */
static int open_and_close(const struct rpf_config *config, struct rpf_error *error)
{
	struct rpf_tracer *tracer = NULL;
	int err = rpf_open(config, &tracer, error);

	CHECK((err == 0) == (tracer != NULL));
	rpf_close(tracer);
	return err;
}

static void comes_to_the_same(void)
{
	const struct rpf_config config = { .flow_slots = 64 };
	struct rpf_error plain = { 0 }, ahead = { 0 };
	int err = open_and_close(&config, &plain);

	CHECK_EQUAL(rpf_load_ahead(&config), 0);
	CHECK_EQUAL(open_and_close(&config, &ahead), err);
	CHECK(!strcmp(ahead.code, plain.code));
	CHECK(!strcmp(ahead.message, plain.message));
}

static void tells_a_mistake_when_it_is_opened(void)
{
	const struct rpf_config wrong = { .ring_bytes = 5 };
	struct rpf_error error = { 0 };

	CHECK_EQUAL(rpf_load_ahead(&wrong), 0);
	CHECK(open_and_close(&wrong, &error) < 0);
	CHECK(!strcmp(error.code, "E_USAGE"));
}

static void is_passed_over_by_who_wants_something_else(void)
{
	const struct rpf_config wrong = { .ring_bytes = 5 }, right = { .every = 1 };
	struct rpf_error plain = { 0 }, error = { 0 };
	int err = open_and_close(&right, &plain);

	CHECK_EQUAL(rpf_load_ahead(&wrong), 0);
	CHECK_EQUAL(open_and_close(&right, &error), err);
	CHECK(!strcmp(error.code, plain.code));
}

static void can_be_forgotten(void)
{
	const struct rpf_config config = { 0 };

	rpf_forget_ahead();
	CHECK_EQUAL(rpf_load_ahead(&config), 0);
	CHECK_EQUAL(rpf_load_ahead(&config), 0); /* which forgets the first */
	rpf_forget_ahead();
	rpf_forget_ahead();
}

static void *open_in_thread(void *err)
{
	const struct rpf_config config = { 0 };

	*(int *)err = open_and_close(&config, NULL);
	return NULL;
}

/* One of them takes over what was loaded, and all share the types of the kernel. */
static void serves_one_of_many_threads(void)
{
	const struct rpf_config config = { 0 };
	int expected = open_and_close(&config, NULL), errs[THREADS], i;
	pthread_t threads[THREADS];

	CHECK_EQUAL(rpf_load_ahead(&config), 0);
	for (i = 0; i < THREADS; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, open_in_thread, &errs[i]), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQUAL(errs[i], expected);
	}
}

int main(void)
{
	comes_to_the_same();
	tells_a_mistake_when_it_is_opened();
	is_passed_over_by_who_wants_something_else();
	can_be_forgotten();
	serves_one_of_many_threads();
	return RPF_CHECK_RESULT;
}
