/* SPDX-License-Identifier: Apache-2.0 */
/* The exact totals that the programs keep per CPU, and the lost records that follow from them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpf_internal.h"

/* values: room for one entry per CPU. Returns coarse counts through coarse, which may be NULL. */
static int read_total(const struct rpf_tracer *tracer, uint32_t place, struct rpf_total_value *values,
		      struct rpf_total *total, uint64_t *coarse)
{
	uint32_t cpu;

	if (bpf_map_lookup_elem(tracer->totals_fd, &place, values))
		return -errno;
	for (cpu = 0; cpu < tracer->cpus; cpu++) {
		total->seen += values[cpu].seen;
		total->matched += values[cpu].matched;
		total->lost += values[cpu].lost;
		if (coarse)
			*coarse += values[cpu].coarse;
	}
	return 0;
}

int rpf_read_totals(const struct rpf_tracer *tracer, struct rpf_total *totals, size_t max, uint64_t *coarse)
{
	struct rpf_total_value *values = calloc(tracer->cpus, sizeof(*values));
	struct rpf_total unattributed = { 0 };
	struct rpf_total_key key, *previous = NULL;
	size_t count = 0;
	uint32_t place;
	int err;

	if (!values)
		return -ENOMEM;
	err = read_total(tracer, RPF_TOTAL_UNATTRIBUTED, values, &unattributed, coarse);
	while (!err && !bpf_map_get_next_key(tracer->total_index_fd, previous, &key)) {
		struct rpf_total total = {
			.netns_cookie = key.netns_cookie,
			.netns = key.netns,
			.reason = key.reason,
		};

		previous = &key;
		if (bpf_map_lookup_elem(tracer->total_index_fd, &key, &place))
			continue;
		err = read_total(tracer, place, values, &total, coarse);
		if (count < max)
			totals[count] = total;
		count++;
	}
	free(values);
	if (err)
		return err;
	if (unattributed.seen) {
		if (count < max)
			totals[count] = unattributed;
		count++;
	}
	return count;
}

int rpf_totals(struct rpf_tracer *tracer, struct rpf_total *totals, size_t max)
{
	return rpf_read_totals(tracer, totals, max, NULL);
}

static int read_program(const struct rpf_tracer *tracer, struct rpf_stats *stats)
{
	struct bpf_prog_info info = { 0 };
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(tracer->program_fd, &info, &bytes))
		return -errno;
	stats->recursion = info.recursion_misses - tracer->recursion_base;
	stats->run_ns = info.run_time_ns;
	stats->run_count = info.run_cnt;
	return 0;
}

/* Of a hook that could be attached. */
static const char *hook_name(const struct rpf_chosen_hook *chosen)
{
	return chosen->err ? NULL : rpf_hook_name(chosen->hook);
}

int rpf_stats(struct rpf_tracer *tracer, struct rpf_stats *stats)
{
	struct rpf_total *totals = calloc(RPF_TOTALS + 1, sizeof(*totals));
	int count, i, err;

	if (!totals)
		return -ENOMEM;
	memset(stats, 0, sizeof(*stats));
	count = rpf_read_totals(tracer, totals, RPF_TOTALS + 1, &stats->coarse);
	for (i = 0; i < count; i++) {
		stats->seen += totals[i].seen;
		stats->matched += totals[i].matched;
		stats->lost += totals[i].lost;
	}
	free(totals);
	err = count < 0 ? count : read_program(tracer, stats);
	stats->delivered = tracer->delivered;
	stats->records = tracer->records;
	stats->flows = tracer->live_flows;
	stats->kfree_skb_arguments = tracer->features.kfree_skb_arguments;
	stats->sysctl_err = tracer->sysctl_err;
	stats->names_err = tracer->names_err;
	stats->exec_err = tracer->exec_link ? 0 : tracer->exec_err;
	stats->routes_err = tracer->routes_err;
	stats->sysctl_lost = tracer->control->sysctl_lost;
	stats->probe_read = !tracer->features.rdonly_cast;
	stats->refused_hook = hook_name(&tracer->hooks.refused);
	stats->refused_err = tracer->hooks.refused.err;
	stats->result_hook = hook_name(&tracer->hooks.result);
	stats->result_err = tracer->hooks.result.err;
	return err;
}

/* What was lost up to the last lost record of this pair. A new pair gets a place; NULL: no memory. */
static struct rpf_total *told_of(struct rpf_tracer *tracer, const struct rpf_total *total)
{
	struct rpf_total *grown;
	size_t i;

	for (i = 0; i < tracer->told_count; i++) {
		if (tracer->told[i].netns_cookie == total->netns_cookie &&
		    tracer->told[i].netns == total->netns && tracer->told[i].reason == total->reason)
			return &tracer->told[i];
	}
	grown = realloc(tracer->told, (tracer->told_count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	tracer->told = grown;
	grown += tracer->told_count++;
	*grown = *total;
	grown->lost = 0;
	return grown;
}

static bool write_lost(struct rpf_writer *writer, enum rpf_lost_where where, uint64_t count, uint32_t netns,
		       uint32_t reason)
{
	struct rpf_lost *lost = rpf_writer_reserve(writer, sizeof(*lost));

	if (!lost)
		return false;
	memset(lost, 0, sizeof(*lost));
	lost->header.size = sizeof(*lost);
	lost->header.kind = RPF_RECORD_LOST;
	lost->header.time_ns = rpf_now_ns();
	lost->count = count;
	lost->where = where;
	lost->reason = reason;
	lost->netns = netns;
	return true;
}

static bool write_recursion(struct rpf_tracer *tracer, struct rpf_writer *writer)
{
	struct rpf_stats stats = { 0 };

	if (read_program(tracer, &stats) || stats.recursion <= tracer->recursion_told)
		return true;
	if (!write_lost(writer, RPF_LOST_RECURSION, stats.recursion - tracer->recursion_told, 0, 0))
		return false;
	tracer->recursion_told = stats.recursion;
	return true;
}

static int load_totals(struct rpf_tracer *tracer)
{
	int count;

	tracer->totals = calloc(RPF_TOTALS + 1, sizeof(*tracer->totals));
	if (!tracer->totals)
		return -ENOMEM;
	count = rpf_read_totals(tracer, tracer->totals, RPF_TOTALS + 1, NULL);
	tracer->totals_next = 0;
	tracer->totals_count = count < 0 ? 0 : count;
	return 0;
}

void rpf_lost_begin(struct rpf_tracer *tracer)
{
	free(tracer->totals);
	tracer->totals = NULL;
	rpf_set_flag(&tracer->control->lost, 1);
}

bool rpf_lost_drain(struct rpf_tracer *tracer, struct rpf_writer *writer)
{
	if (!write_recursion(tracer, writer))
		return false;
	if (!tracer->totals) {
		if (!rpf_flag(&tracer->control->lost))
			return true;
		rpf_set_flag(&tracer->control->lost, 0); /* before reading: a loss from now on sets it again */
		atomic_thread_fence(memory_order_seq_cst);
		if (load_totals(tracer))
			return true;
	}
	for (; tracer->totals_next < tracer->totals_count; tracer->totals_next++) {
		const struct rpf_total *total = &tracer->totals[tracer->totals_next];
		struct rpf_total *told;

		if (!total->lost)
			continue;
		told = told_of(tracer, total);
		if (!told || told->lost >= total->lost)
			continue;
		if (!write_lost(writer, RPF_LOST_RING, total->lost - told->lost, total->netns, total->reason))
			return false;
		told->lost = total->lost;
	}
	free(tracer->totals);
	tracer->totals = NULL;
	return true;
}
