/* SPDX-License-Identifier: Apache-2.0 */
/* Opens, configures, attaches, detaches and closes a tracer. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rpf_capabilities.h"
#include "rpf_filter.h"
#include "rpf_internal.h"

#define BPF_LOG_STATS 4		   /* include/linux/bpf_verifier.h: how many instructions were looked at */
#define EVERY_RING_BYTES (1 << 23) /* 8 MiB: 30,000 whole records, 0.1 s of a flood at --every */
#define FLOW_RING_BYTES (1 << 21)  /* 2 MiB: as many first drops as the flow tables of two CPUs take */
#define MIN_RING_BYTES (1 << 16)
#define DEFAULT_FLOW_SLOTS 4096
#define MIN_FLOW_SLOTS 64
#define FLOW_TABLE_BYTES \
	(16 << 20) /* of all CPUs together, so that a node of 256 CPUs pays no more than this */
#define DEFAULT_INTERVAL_MS 1000

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

static uint32_t default_flow_slots(uint32_t cpus)
{
	uint32_t slots = DEFAULT_FLOW_SLOTS;

	while (slots > MIN_FLOW_SLOTS && (uint64_t)slots * cpus * sizeof(struct rpf_slot) > FLOW_TABLE_BYTES)
		slots /= 2;
	return slots;
}

static int check_config(struct rpf_config *config, uint32_t cpus, struct rpf_error *error)
{
	if (!config->ring_bytes)
		config->ring_bytes = config->every ? EVERY_RING_BYTES : FLOW_RING_BYTES;
	if (!config->flow_slots)
		config->flow_slots = default_flow_slots(cpus);
	if (!config->total_pairs)
		config->total_pairs = RPF_TOTALS_OF_PAIRS;
	if (!config->interval_ms)
		config->interval_ms = DEFAULT_INTERVAL_MS;
	if (!config->whole_per_flow)
		config->whole_per_flow = 1;
	if (!is_power_of_two(config->ring_bytes) || config->ring_bytes < MIN_RING_BYTES)
		return rpf_fail(error, -EINVAL, "E_USAGE", "ring_bytes %u is not a power of two of at least %u",
				config->ring_bytes, MIN_RING_BYTES);
	if (!is_power_of_two(config->flow_slots) || config->flow_slots < MIN_FLOW_SLOTS)
		return rpf_fail(error, -EINVAL, "E_USAGE", "flow_slots %u is not a power of two of at least %u",
				config->flow_slots, MIN_FLOW_SLOTS);
	if (config->total_pairs > RPF_TOTALS_OF_PAIRS)
		return rpf_fail(error, -EINVAL, "E_USAGE", "total_pairs %u is more than %u",
				config->total_pairs, RPF_TOTALS_OF_PAIRS);
	if (config->snaplen > RPF_MAX_SNAP)
		return rpf_fail(error, -EINVAL, "E_USAGE", "snaplen %u is more than %u", config->snaplen,
				RPF_MAX_SNAP);
	if (config->netns_count > RPF_MAX_NETNS || config->reason_count > RPF_MAX_REASONS ||
	    config->device_count > RPF_MAX_DEVICES)
		return rpf_fail(error, -EINVAL, "E_USAGE",
				"too many filters: at most %d netns, %d reasons, %d devices", RPF_MAX_NETNS,
				RPF_MAX_REASONS, RPF_MAX_DEVICES);
	return 0;
}

static void set_pattern(struct rpf_pattern *pattern, const struct rpf_device_pattern *device)
{
	uint32_t length = device->length > RPF_NAME_BYTES ? RPF_NAME_BYTES : device->length;

	memset(pattern, 0, sizeof(*pattern));
	memcpy(pattern->value, device->name, length);
	memset(pattern->mask, 0xff, length);
}

/* Makes the keys of a filter map equal to wanted. */
static int replace_keys(int map_fd, const uint32_t *wanted, uint32_t count)
{
	uint32_t key, next, i;
	uint8_t one = 1;
	bool more;

	for (i = 0; i < count; i++) {
		if (bpf_map_update_elem(map_fd, &wanted[i], &one, BPF_ANY))
			return -errno;
	}
	for (more = !bpf_map_get_next_key(map_fd, NULL, &key); more; key = next) {
		bool keep = false;

		more = !bpf_map_get_next_key(map_fd, &key, &next);
		for (i = 0; i < count && !keep; i++)
			keep = wanted[i] == key;
		if (!keep)
			bpf_map_delete_elem(map_fd, &key);
	}
	return 0;
}

static int map_fd(const struct rpf_tracer *tracer, const char *name)
{
	return bpf_object__find_map_fd_by_name(tracer->object, name);
}

static int set_filters(struct rpf_tracer *tracer, const struct rpf_config *config, struct rpf_error *error)
{
	struct rpf_control *control = tracer->control;
	uint32_t filters = control->filters & (RPF_FILTER_EXPRESSION | RPF_FILTER_VLAN | RPF_FILTER_PODS), i;
	int err = replace_keys(map_fd(tracer, "netns_filter"), config->netns, config->netns_count);

	if (!err)
		err = replace_keys(map_fd(tracer, "reason_filter"), config->reasons, config->reason_count);
	if (err)
		return rpf_fail(error, err, "E_BPF_FAILED", "cannot fill the filter maps: %s", strerror(-err));
	for (i = 0; i < config->device_count; i++)
		set_pattern(&control->patterns[i], &config->devices[i]);
	control->pattern_count = config->device_count;
	if (config->netns_count)
		filters |= RPF_FILTER_NETNS;
	if (config->reason_count)
		filters |= RPF_FILTER_REASON;
	if (config->device_count)
		filters |= RPF_FILTER_DEVICE;
	control->filters = filters;
	return 0;
}

static int set_expression(struct rpf_tracer *tracer, struct rpf_error *error)
{
	struct rpf_cbpf_insn insns[RPF_CBPF_MAX];
	int length, fd = map_fd(tracer, "expression"), i;

	if (!tracer->config.expression)
		return 0;
	if (tracer->features.legacy)
		return rpf_fail(error, -ENOTSUP, "E_KERNEL_TOO_OLD",
				"filter expressions need bpf_loop, which this kernel has not (5.17 and newer do)");
	length = rpf_filter_compile(tracer->config.expression, insns, error);
	if (length < 0)
		return length;
	for (i = 0; i < length; i++) {
		if (bpf_map_update_elem(fd, &i, &insns[i], BPF_ANY))
			return rpf_fail(error, -errno, "E_BPF_FAILED", "cannot fill the expression map: %s",
					strerror(errno));
	}
	tracer->control->filters |= RPF_FILTER_EXPRESSION;
	if (rpf_filter_has_word(tracer->config.expression, "vlan"))
		tracer->control->filters |= RPF_FILTER_VLAN;
	return 0;
}

/* libbpf's and the verifier's words are for those who ask for them. */
static bool is_debugging(void)
{
	const char *debug = getenv("RPFTRACE_DEBUG");

	return debug && *debug;
}

static int print_log(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	return is_debugging() ? vfprintf(stderr, format, arguments) : 0;
}

/* Settings before loading: which entry, sizes of maps, constants. */
static int prepare(struct rpf_tracer *tracer)
{
	static const char *const entries[] = { "rpf_kfree_skb_2", "rpf_kfree_skb_3", "rpf_kfree_skb_4" };
	const char *wanted = entries[tracer->features.kfree_skb_arguments - 2];
	uint32_t slots = tracer->config.flow_slots + RPF_COARSE_SLOTS;
	struct rpf_settings *settings;
	struct bpf_program *program;
	struct bpf_map *map;
	size_t i, bytes;

	for (i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		program = bpf_object__find_program_by_name(tracer->object, entries[i]);
		if (!program)
			return -ENOENT;
		bpf_program__set_autoload(program, !strcmp(entries[i], wanted));
		if (!strcmp(entries[i], wanted))
			tracer->program = program;
	}
	map = bpf_object__find_map_by_name(tracer->object, ".rodata.settings");
	settings = map ? (struct rpf_settings *)bpf_map__initial_value(map, &bytes)
		       : NULL; /* const before libbpf 1.2 */
	if (!settings || bytes < sizeof(*settings))
		return -ENOENT;
	*settings = (struct rpf_settings){
		.every = tracer->config.every,
		.snaplen = tracer->config.snaplen,
		.flow_mask = tracer->config.flow_slots - 1,
		.slots_per_cpu = slots,
		.join_refusals = !tracer->features.source_reasons && rpf_joins_refusals(&tracer->hooks),
		.rpfilter_reason = tracer->features.rpfilter_reason ? 0 : tracer->features.rpfilter_number,
		.rpfilter_result = tracer->features.rpfilter_result,
		.has_expression = tracer->config.expression != NULL,
		.rpfilter_counter = rpf_reads_counter(&tracer->hooks) ? tracer->features.rpfilter_counter : 0,
	};
	rpf_prepare_hooks(tracer->object, &tracer->hooks);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(tracer->object, "ring"), tracer->config.ring_bytes);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(tracer->object, "flow_table"),
				 tracer->config.every ? 1 : slots * tracer->cpus);
	return 0;
}

/* The verifier gives up with -EAGAIN when a signal is pending (kernel/bpf/verifier.c), as a profiler's always is. */
static int load_undisturbed(struct bpf_object *object)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = bpf_object__load(object);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

static struct bpf_object *open_object(const struct rpf_features *features,
				      const struct bpf_object_open_opts *options)
{
	if (features->legacy)
		return bpf_object__open_mem(rpf_bpf_legacy_object, rpf_bpf_legacy_object_size, options);
	if (!features->rdonly_cast)
		return bpf_object__open_mem(rpf_bpf_probe_object, rpf_bpf_probe_object_size, options);
	return bpf_object__open_mem(rpf_bpf_cast_object, rpf_bpf_cast_object_size, options);
}

static int try_load(struct rpf_tracer *tracer, bool with_sysctl, bool with_exec, struct rpf_error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "rpftrace",
		    .kernel_log_level = is_debugging() ? BPF_LOG_STATS : 0);
	bool cast = tracer->features.rdonly_cast;
	int err;

	bpf_object__close(tracer->object);
	tracer->object = open_object(&tracer->features, &options);
	if (!tracer->object)
		return rpf_fail(error, -errno, "E_BPF_FAILED", "cannot open the BPF object: %s", strerror(errno));
	err = prepare(tracer);
	if (err)
		return rpf_fail(error, err, "E_BPF_FAILED", "the BPF object is not the one this build expects");
	bpf_program__set_autoload(bpf_object__find_program_by_name(tracer->object, "rpf_sysctl"), with_sysctl);
	bpf_program__set_autoload(bpf_object__find_program_by_name(tracer->object, "rpf_exec"), with_exec);
	err = load_undisturbed(tracer->object);
	if (err == -EPERM && tracer->features.counts_memlock && rpf_explain_memlock(err, tracer->object, error))
		return err;
	if (err)
		return rpf_explain_refusal(err, "loading the BPF programs", !cast, error);
	return 0;
}

/* The kernel wants CAP_NET_ADMIN for programs of this type, is_net_admin_prog_type() in kernel/bpf/syscall.c. */
static bool may_watch_settings(void)
{
	uint64_t held;

	return rpf_capabilities(&held) || held & (RPF_CAPABILITY(CAP_NET_ADMIN) | RPF_CAPABILITY(CAP_SYS_ADMIN));
}

/* Watching settings is worth having, tracing drops is what we are for: where all cannot be loaded, the drops are. */
static int load_most(struct rpf_tracer *tracer, struct rpf_error *error)
{
	static const struct {
		bool sysctl;
		bool exec;
	} tries[] = { { true, true }, { true, false }, { false, true }, { false, false } };
	struct rpf_error first = { 0 };
	int err = -EPERM;
	size_t i = may_watch_settings() ? 0 : 2;

	tracer->sysctl_err = 0;
	for (; i < sizeof(tries) / sizeof(*tries); i++) {
		if (!tries[i].sysctl && !tracer->sysctl_err)
			tracer->sysctl_err = err;
		tracer->exec_err = tries[i].exec ? 0 : err;
		err = try_load(tracer, tries[i].sysctl, tries[i].exec, first.err ? NULL : &first);
		if (!err)
			return 0;
	}
	if (error)
		*error = first;
	return err;
}

/* No kernel that takes kprobes is known to refuse our programs for them; should one, we do without. */
static int load(struct rpf_tracer *tracer, struct rpf_error *error)
{
	int err;

	if (tracer->features.counts_memlock)
		rpf_raise_memlock();
	err = load_most(tracer, error);
	if (err && tracer->config.backend == RPF_BACKEND_AUTO && rpf_give_up_kprobes(&tracer->hooks, err))
		err = load_most(tracer, error);
	return err;
}

/* Maps the memory of a data section, which the programs see too. libbpf does so for skeletons only. NULL: errno. */
static void *map_section(const struct rpf_tracer *tracer, const char *name, size_t bytes, int protection)
{
	void *mapped = mmap(NULL, bytes, protection, MAP_SHARED, map_fd(tracer, name), 0);

	return mapped == MAP_FAILED ? NULL : mapped;
}

static int map_memory(struct rpf_tracer *tracer)
{
	uint32_t slots_per_cpu = tracer->config.flow_slots + RPF_COARSE_SLOTS,
		 slots = slots_per_cpu * tracer->cpus;
	void *mapped;
	int err;

	tracer->totals_fd = map_fd(tracer, "totals");
	tracer->total_index_fd = map_fd(tracer, "total_index");
	tracer->control = map_section(tracer, ".data.control", sizeof(*tracer->control), PROT_READ | PROT_WRITE);
	if (tracer->symbol_fd >= 0)
		tracer->symbol = map_section(tracer, ".data.symbol", RPF_SYMBOL_BYTES, PROT_READ);
	tracer->clock = map_section(tracer, ".data.clock", sizeof(*tracer->clock), PROT_READ);
	if (!tracer->control || (tracer->symbol_fd >= 0 && !tracer->symbol) || !tracer->clock)
		return -errno;
	tracer->names_err = tracer->symbol ? 0 : rpf_kallsyms_check();
	tracer->flows.late_counts = tracer->features.legacy;
	err = rpf_ring_open(&tracer->ring, map_fd(tracer, "ring"), tracer->config.ring_bytes);
	if (err || tracer->config.every)
		return err;
	tracer->flow_bytes = (size_t)slots * sizeof(struct rpf_slot);
	mapped = mmap(NULL, tracer->flow_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      map_fd(tracer, "flow_table"), 0);
	if (mapped == MAP_FAILED) {
		tracer->flow_bytes = 0;
		return -errno;
	}
	return rpf_flows_init(&tracer->flows, mapped, slots, slots_per_cpu);
}

static int program_fd(const struct rpf_tracer *tracer, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(tracer->object, name);

	return program ? bpf_program__fd(program) : -ENOENT;
}

static int find_programs(struct rpf_tracer *tracer)
{
	tracer->program_fd = bpf_program__fd(tracer->program);
	tracer->symbol_fd = program_fd(tracer, "rpf_name_symbol");
	tracer->clock_fd = program_fd(tracer, "rpf_read_clock");
	if (tracer->program_fd < 0)
		return tracer->program_fd;
	return tracer->clock_fd < 0 ? tracer->clock_fd : 0;
}

int rpf_load(const struct rpf_config *config, struct rpf_tracer **loaded, struct rpf_error *error)
{
	struct rpf_tracer *tracer = calloc(1, sizeof(*tracer));
	int err;

	if (!tracer)
		return rpf_fail(error, -ENOMEM, "E_NO_MEMORY", "out of memory");
	libbpf_set_print(print_log);
	rpf_keep_user_reads();
	tracer->config = *config;
	tracer->cpus = libbpf_num_possible_cpus();
	tracer->wake_fd = -1;
	err = check_config(&tracer->config, tracer->cpus, error);
	if (!err)
		err = rpf_probe_features(config, &tracer->btf, &tracer->features, &tracer->hooks, error);
	if (!err)
		err = load(tracer, error);
	if (err)
		rpf_close(tracer);
	else
		*loaded = tracer;
	return err;
}

/* Of what was loaded ahead the filters and the interval are those of somebody who did not know them yet. */
static int load_or_take(const struct rpf_config *config, struct rpf_tracer **loaded, struct rpf_error *error)
{
	int err = rpf_take_loaded(config, loaded, error);

	if (!err)
		return rpf_load(config, loaded, error);
	if (err < 0)
		return err;
	(*loaded)->config = *config;
	return check_config(&(*loaded)->config, (*loaded)->cpus, error);
}

int rpf_open(const struct rpf_config *config, struct rpf_tracer **opened, struct rpf_error *error)
{
	struct rpf_tracer *tracer = NULL;
	int err = load_or_take(config, &tracer, error);

	if (err)
		goto out_close;
	tracer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = tracer->wake_fd < 0 ? -errno : find_programs(tracer);
	if (!err)
		err = map_memory(tracer);
	if (err) {
		rpf_fail(error, err, "E_BPF_FAILED", "cannot map the BPF maps: %s", strerror(-err));
		goto out_close;
	}
	tracer->control->whole_per_flow = tracer->config.whole_per_flow;
	tracer->control->pairs = tracer->config.total_pairs;
	rpf_links_open(&tracer->links); /* without netlink names come from the records alone */
	tracer->routes_err = rpf_watches_open(&tracer->watches);
	if (!tracer->routes_err)
		tracer->routes_err = rpf_watches_add(&tracer->watches, 0);
	err = set_filters(tracer, &tracer->config, error);
	if (!err)
		err = set_expression(tracer, error);
	if (err)
		goto out_close;
	tracer->config.expression = NULL; /* the caller's memory */
	*opened = tracer;
	return 0;

out_close:
	rpf_close(tracer);
	return err;
}

int rpf_configure(struct rpf_tracer *tracer, const struct rpf_config *config, struct rpf_error *error)
{
	struct rpf_config checked = *config;
	int err = check_config(&checked, tracer->cpus, error);

	if (err)
		return err;
	if (config->expression)
		return rpf_fail(error, -EINVAL, "E_USAGE",
				"the filter expression cannot be replaced while tracing");
	return set_filters(tracer, &checked, error);
}

static void attach_sysctl(struct rpf_tracer *tracer)
{
	struct bpf_program *program = bpf_object__find_program_by_name(tracer->object, "rpf_sysctl");
	int root;

	if (tracer->sysctl_err)
		return;
	root = rpf_cgroup_root();
	if (root < 0) {
		tracer->sysctl_err = root;
		return;
	}
	tracer->sysctl_link = bpf_program__attach_cgroup(program, root);
	if (!tracer->sysctl_link)
		tracer->sysctl_err = -errno;
	close(root);
}

/* Who changes a route is asked for by number, and programs like ip(8) are gone by then. */
static void attach_exec(struct rpf_tracer *tracer)
{
	struct bpf_program *program = bpf_object__find_program_by_name(tracer->object, "rpf_exec");

	if (!tracer->exec_err)
		tracer->exec_err = tracer->routes_err;
	if (tracer->exec_err)
		return;
	tracer->exec_link = bpf_program__attach_trace(program);
	if (!tracer->exec_link)
		tracer->exec_err = -errno;
}

int rpf_executed(struct rpf_tracer *tracer, uint32_t number, uint32_t netns, struct rpf_sysctl *record)
{
	struct rpf_exec_key key = { .number = number, .netns = netns };

	return bpf_map_lookup_elem(map_fd(tracer, "execs"), &key, record) ? -errno : 0;
}

static void release_btf(struct rpf_tracer *tracer)
{
	rpf_release_kernel_btf(tracer->btf);
	tracer->btf = NULL;
}

int rpf_attach(struct rpf_tracer *tracer, struct rpf_error *error)
{
	struct bpf_prog_info info = { 0 };
	uint32_t bytes = sizeof(info);
	int err;

	if (tracer->link || tracer->detached)
		return rpf_fail(error, -EALREADY, "E_USAGE", "a tracer is attached once");
	if (!bpf_obj_get_info_by_fd(tracer->program_fd, &info, &bytes))
		tracer->recursion_base = info.recursion_misses;
	tracer->next_interval_ns = rpf_now_ns() + tracer->config.interval_ms * 1000000ULL;
	attach_sysctl(tracer);
	attach_exec(tracer);
	tracer->link = bpf_program__attach(tracer->program);
	err = tracer->link ? 0 : -errno;
	/*
	 * After the tracepoint: a refusal whose drop nobody sees would join that of another skb at the same address. A drop whose
	 * refusal nobody saw is told with what the kernel says of it.
	 */
	if (!err)
		rpf_attach_hooks(tracer->object, &tracer->hooks);
	release_btf(tracer);
	if (!err)
		return 0;
	return rpf_explain_refusal(err, "attaching to tracepoint kfree_skb", !tracer->features.rdonly_cast,
				   error);
}

int rpf_witness(struct rpf_tracer *tracer, int on)
{
	struct bpf_program *program;

	if (!on) {
		if (tracer->control)
			tracer->control->witness = 0;
		bpf_link__destroy(tracer->witness_link);
		tracer->witness_link = NULL;
		return 0;
	}
	if (tracer->witness_link)
		return 0;
	if (tracer->detached)
		return -EALREADY;
	program = bpf_object__find_program_by_name(tracer->object, "rpf_fib_lookup");
	tracer->witness_link = bpf_program__attach(program);
	if (!tracer->witness_link)
		return -errno;
	tracer->control->witness = 1;
	/* One more drop of each flow that is counted already goes out whole, and says what the witness has seen. */
	tracer->control->whole_before++;
	tracer->control->whole_per_flow++;
	return 0;
}

int rpf_watch(struct rpf_tracer *tracer, uint32_t netns, int on)
{
	if (on)
		return rpf_watches_add(&tracer->watches, netns);
	rpf_watches_remove(&tracer->watches, netns);
	return 0;
}

int rpf_detach(struct rpf_tracer *tracer)
{
	int err = 0;

	if (tracer->link) {
		err = bpf_link__destroy(tracer->link);
		/*
		 * Another CPU may still be in the program: what it counts must be there before the last drain begins. Programs
		 * run under rcu_read_lock() (kernel/trace/bpf_trace.c), and this is synchronize_rcu() (kernel/sched/membarrier.c).
		 */
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	}
	tracer->link = NULL;
	rpf_detach_hooks(&tracer->hooks);
	rpf_witness(tracer, 0);
	bpf_link__destroy(tracer->sysctl_link);
	tracer->sysctl_link = NULL;
	bpf_link__destroy(tracer->exec_link);
	tracer->exec_link = NULL;
	tracer->detached = true;
	rpf_wake(tracer);
	return err;
}

void rpf_wake(struct rpf_tracer *tracer)
{
	if (tracer->wake_fd >= 0)
		eventfd_write(tracer->wake_fd, 1);
}

void rpf_close(struct rpf_tracer *tracer)
{
	if (!tracer)
		return;
	rpf_detach(tracer);
	rpf_links_close(&tracer->links);
	rpf_watches_close(&tracer->watches);
	rpf_ring_close(&tracer->ring);
	if (tracer->flow_bytes)
		munmap(tracer->flows.slots, tracer->flow_bytes);
	rpf_flows_free(&tracer->flows);
	if (tracer->control)
		munmap(tracer->control, sizeof(*tracer->control));
	if (tracer->symbol)
		munmap((void *)tracer->symbol, RPF_SYMBOL_BYTES);
	if (tracer->clock)
		munmap((void *)tracer->clock, sizeof(*tracer->clock));
	bpf_object__close(tracer->object);
	if (tracer->wake_fd >= 0)
		close(tracer->wake_fd);
	rpf_kallsyms_free(tracer->kallsyms);
	release_btf(tracer);
	free(tracer->told);
	free(tracer->totals);
	free(tracer);
}
