/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit of locked memory. Before v5.11 the kernel counts maps and programs of all processes of a user against it
 * (bpf_charge_memlock(), kernel/bpf/syscall.c) and refuses with EPERM what is more; since then memory cgroups count them.
 */
#include <bpf/libbpf.h>
#include <stdint.h>
#include <sys/resource.h>

#include "rpf_internal.h"

#define MIB (1 << 20)

/* libbpf takes the limit away where it may. Where not, what one may have without CAP_SYS_RESOURCE is better than nothing. */
void rpf_raise_memlock(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* What the maps of an object hold, without what the kernel adds: nothing where CPUs have their own. */
static uint64_t map_bytes(const struct bpf_object *object)
{
	uint64_t bytes = 0, one;
	struct bpf_map *map;

	bpf_object__for_each_map (map, object) {
		one = bpf_map__key_size(map) + bpf_map__value_size(map);
		bytes += (one ? one : 1) * bpf_map__max_entries(map);
	}
	return bytes;
}

int rpf_explain_memlock(int err, const struct bpf_object *object, struct rpf_error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	return rpf_fail(error, err, "E_MEMLOCK",
			"loading the BPF programs: locked memory is limited to %llu KiB for all processes of a user, "
			"and this kernel counts BPF maps as such; some %llu MiB are needed",
			(unsigned long long)limit.rlim_cur / 1024,
			(unsigned long long)map_bytes(object) / MIB + 2);
}
