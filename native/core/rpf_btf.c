/* SPDX-License-Identifier: Apache-2.0 */
/* The types of the running kernel: 5 MB that take 10 ms to read, so all who ask at the same time share them. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>

#include "rpf_internal.h"

static struct {
	pthread_mutex_t lock; /* guards all below: tracers are opened by any thread */
	struct btf *btf;
	unsigned int users;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct btf *rpf_kernel_btf(void)
{
	struct btf *btf;
	int err = 0;

	pthread_mutex_lock(&shared.lock);
	if (!shared.users) {
		shared.btf = btf__parse(RPF_BTF_PATH, NULL);
		err = shared.btf ? 0 : errno;
	}
	btf = shared.btf;
	if (btf)
		shared.users++;
	pthread_mutex_unlock(&shared.lock);
	errno = err;
	return btf;
}

void rpf_release_kernel_btf(const struct btf *btf)
{
	if (!btf)
		return;
	pthread_mutex_lock(&shared.lock);
	if (!--shared.users) {
		btf__free(shared.btf);
		shared.btf = NULL;
	}
	pthread_mutex_unlock(&shared.lock);
}

int rpf_find_tracepoint(const struct btf *btf, const char *name)
{
	char typedef_name[128];

	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF);
}
