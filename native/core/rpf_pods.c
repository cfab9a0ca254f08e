// SPDX-License-Identifier: Apache-2.0
/* The filter on pods: which addresses, network namespaces and devices are theirs. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpf_internal.h"

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rpf_pod_key));
}

/* What is in the map and not among the keys goes. keys are sorted. */
static void remove_others(int fd, const struct rpf_pod_key *keys, size_t count)
{
	struct rpf_pod_key key, next;
	bool more;

	for (more = !bpf_map_get_next_key(fd, NULL, &key); more; key = next) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!bsearch(&key, keys, count, sizeof(*keys), compare_keys))
			bpf_map_delete_elem(fd, &key);
	}
}

int rpf_set_pods(struct rpf_tracer *tracer, struct rpf_pod_key *keys, size_t count)
{
	int fd = bpf_object__find_map_fd_by_name(tracer->object, "pod_filter");
	uint8_t one = 1;
	size_t i;

	if (count > RPF_MAX_POD_KEYS)
		return -E2BIG;
	/* Those that stay are never missing in between. */
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (i = 0; i < count; i++) {
		if (!bpf_map_update_elem(fd, &keys[i], &one, BPF_NOEXIST) || errno == EEXIST)
			continue;
		/* Full of keys that are to go. */
		if (errno != E2BIG)
			return -errno;
		remove_others(fd, keys, count);
		if (bpf_map_update_elem(fd, &keys[i], &one, BPF_ANY))
			return -errno;
	}
	remove_others(fd, keys, count);
	tracer->control->filters |= RPF_FILTER_PODS;
	return 0;
}
