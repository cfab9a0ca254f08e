/* SPDX-License-Identifier: Apache-2.0 */
/* The exact totals that the programs keep per CPU, and the lost records that follow from them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpf_internal.h"

static void add_cpus(const struct rpf_total_value *values, uint32_t cpus, struct rpf_total *total)
{
	uint32_t cpu;

	for (cpu = 0; cpu < cpus; cpu++) {
		total->seen += values[cpu].seen;
		total->matched += values[cpu].matched;
		total->lost += values[cpu].lost;
	}
}

static int read_counters(const struct rpf_tracer *tracer, struct rpf_total *unattributed, uint64_t *coarse)
{
	struct rpf_counters *values = calloc(tracer->cpus, sizeof(*values));
	uint32_t zero = 0, cpu;
	int err = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(tracer->counters_fd, &zero, values))
		err = -errno;
	for (cpu = 0; !err && cpu < tracer->cpus; cpu++) {
		add_cpus(&values[cpu].unattributed, 1, unattributed);
		*coarse += values[cpu].coarse;
	}
	free(values);
	return err;
}

int rpf_read_totals(const struct rpf_tracer *tracer, struct rpf_total *totals, size_t max)
{
	struct rpf_total_value *values = calloc(tracer->cpus, sizeof(*values));
	struct rpf_total unattributed = { 0 };
	struct rpf_total_key key, *previous = NULL;
	uint64_t coarse = 0;
	size_t count = 0;
	int err;

	if (!values)
		return -ENOMEM;
	while (!bpf_map_get_next_key(tracer->totals_fd, previous, &key)) {
		struct rpf_total total = { .netns = key.netns, .reason = key.reason };

		previous = &key;
		if (bpf_map_lookup_elem(tracer->totals_fd, &key, values))
			continue;
		add_cpus(values, tracer->cpus, &total);
		if (count < max)
			totals[count] = total;
		count++;
	}
	free(values);
	err = read_counters(tracer, &unattributed, &coarse);
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
	return rpf_read_totals(tracer, totals, max);
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

int rpf_stats(struct rpf_tracer *tracer, struct rpf_stats *stats)
{
	int count = rpf_read_totals(tracer, NULL, 0), i, err;
	struct rpf_total unattributed = { 0 }, *totals;

	if (count < 0)
		return count;
	memset(stats, 0, sizeof(*stats));
	totals = calloc(count + 16, sizeof(*totals)); /* 16: pairs that appear meanwhile */
	if (!totals)
		return -ENOMEM;
	i = rpf_read_totals(tracer, totals, count + 16);
	if (i > count + 16)
		i = count + 16;
	while (i-- > 0) {
		stats->seen += totals[i].seen;
		stats->matched += totals[i].matched;
		stats->lost += totals[i].lost;
	}
	free(totals);
	err = read_counters(tracer, &unattributed, &stats->coarse);
	if (!err)
		err = read_program(tracer, stats);
	stats->delivered = tracer->delivered;
	stats->records = tracer->records;
	stats->flows = tracer->live_flows;
	stats->kfree_skb_arguments = tracer->features.kfree_skb_arguments;
	stats->probe_read = !tracer->features.rdonly_cast;
	return err;
}

/* What was lost up to the last lost record of this pair. A new pair gets a place; NULL: no memory. */
static struct rpf_total *told_of(struct rpf_tracer *tracer, const struct rpf_total *total)
{
	struct rpf_total *grown;
	size_t i;

	for (i = 0; i < tracer->told_count; i++) {
		if (tracer->told[i].netns == total->netns && tracer->told[i].reason == total->reason)
			return &tracer->told[i];
	}
	grown = realloc(tracer->told, (tracer->told_count + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	tracer->told = grown;
	grown += tracer->told_count++;
	*grown = (struct rpf_total){ .netns = total->netns, .reason = total->reason };
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
	int count = rpf_read_totals(tracer, NULL, 0);

	if (count < 0)
		return count;
	tracer->totals = calloc(count + 1, sizeof(*tracer->totals));
	if (!tracer->totals)
		return -ENOMEM;
	tracer->totals_next = 0;
	tracer->totals_count = count;
	count = rpf_read_totals(tracer, tracer->totals, count);
	if (count >= 0 && (size_t)count < tracer->totals_count)
		tracer->totals_count = count;
	return 0;
}

bool rpf_lost_drain(struct rpf_tracer *tracer, struct rpf_writer *writer)
{
	if (!write_recursion(tracer, writer))
		return false;
	if (!tracer->totals) {
		if (!tracer->control->lost)
			return true;
		tracer->control->lost = 0; /* before reading: a loss from now on sets it again */
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
