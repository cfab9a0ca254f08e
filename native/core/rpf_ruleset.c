/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over chains as a packet does, through every jump, and tells the rules that decide whether it lives. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "rpf_internal.h"
#include "rpf_ruleset_internal.h"

#define MAX_DEPTH 16 /* NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h */
#define MAX_CHAINS 65536
#define MAX_CHAIN_RULES 65536

/* ---- chains ---- */

bool rpf_chains_late(struct rpf_chains *chains)
{
	if (!chains->is_cut && chains->deadline_ns)
		chains->is_cut = rpf_now_ns() >= chains->deadline_ns;
	return chains->is_cut;
}

/* djb2: only to compare names faster. */
static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return hash;
}

struct rpf_chain *rpf_chains_add(struct rpf_chains *chains, const char *table, const char *name)
{
	struct rpf_chain chain = { 0 };

	if (chains->count == chains->room) {
		size_t room = chains->room ? chains->room * 2 : 64;
		struct rpf_chain *grown = room <= MAX_CHAINS ? realloc(chains->chains, room * sizeof(*grown))
							     : NULL;

		if (!grown)
			return NULL;
		chains->chains = grown;
		chains->room = room;
	}
	chain.hash = hash_of(name);
	chain.table = strdup(table);
	chain.name = strdup(name);
	if (!chain.table || !chain.name) {
		free(chain.table);
		free(chain.name);
		return NULL;
	}
	chains->chains[chains->count] = chain;
	return &chains->chains[chains->count++];
}

struct rpf_parsed_rule *rpf_chain_add_rule(struct rpf_chain *chain)
{
	struct rpf_parsed_rule *rule;

	if (chain->count == chain->room) {
		size_t room = chain->room ? chain->room * 2 : 8;
		struct rpf_parsed_rule *grown = room <= MAX_CHAIN_RULES
							? realloc(chain->rules, room * sizeof(*grown))
							: NULL;

		if (!grown)
			return NULL;
		chain->rules = grown;
		chain->room = room;
	}
	rule = &chain->rules[chain->count++];
	memset(rule, 0, sizeof(*rule));
	rule->number = chain->count;
	return rule;
}

void rpf_chain_forget_rules(struct rpf_chain *chain)
{
	while (chain->count) {
		struct rpf_parsed_rule *rule = &chain->rules[--chain->count];

		free(rule->target);
		free(rule->comment);
	}
}

void rpf_chains_forget(struct rpf_chains *chains, size_t count)
{
	while (chains->count > count) {
		struct rpf_chain *chain = &chains->chains[--chains->count];

		rpf_chain_forget_rules(chain);
		free(chain->rules);
		free(chain->table);
		free(chain->name);
	}
}

void rpf_rule_add_condition(struct rpf_parsed_rule *rule, const struct rpf_condition *condition)
{
	if (rule->conditions == RPF_RULE_CONDITIONS)
		rule->more = 1;
	else
		rule->condition[rule->conditions++] = *condition;
}

/* ---- the walk ---- */

/* How a packet came to a chain. */
struct path {
	const struct rpf_chain *base;
	const struct rpf_chain *checking_chain; /* of the jump that checks the reverse path; NULL: there is none */
	const struct rpf_parsed_rule *checking;
	uint8_t checking_from; /* its conditions */
	uint8_t checking_to;
	uint8_t more;
	uint8_t conditions;
	struct rpf_condition condition[RPF_RULE_CONDITIONS];
	unsigned int depth;
};

struct walk {
	struct rpf_chains *chains;
	struct rpf_rule *found; /* in this base chain: told when it is done, since each decides whether others matter */
	size_t count;
	size_t room;
	size_t told;
	size_t steps;
	uint32_t base;
	int err;
	void (*visit)(void *context, const struct rpf_rule *rule);
	void *context;
};

static void add_conditions(struct path *path, const struct rpf_condition *conditions, uint8_t count, uint8_t more)
{
	uint8_t i;

	path->more |= more;
	for (i = 0; i < count; i++) {
		if (path->conditions == RPF_RULE_CONDITIONS)
			path->more = 1;
		else
			path->condition[path->conditions++] = conditions[i];
	}
}

static struct rpf_rule *add_found(struct walk *walk, const struct rpf_chain *chain, const struct path *path)
{
	struct rpf_rule *rule;

	if (walk->count == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 64;
		struct rpf_rule *grown = room <= RPF_RULESET_RULES ? realloc(walk->found, room * sizeof(*grown))
								   : NULL;

		if (!grown) {
			walk->chains->is_cut = true;
			return NULL;
		}
		walk->found = grown;
		walk->room = room;
	}
	rule = &walk->found[walk->count++];
	memset(rule, 0, sizeof(*rule));
	rule->kind = chain->kind;
	rule->family = chain->family;
	rule->hook = path->base->hook;
	rule->base = walk->base;
	rule->base_chain = path->base->name;
	rule->priority = path->base->priority;
	rule->in_base = chain == path->base;
	rule->table = chain->table;
	rule->chain = chain->name;
	rule->more = path->more;
	rule->conditions = path->conditions;
	memcpy(rule->condition, path->condition, sizeof(rule->condition));
	return rule;
}

/* Where a jump has checked the reverse path, it is the one to be named. */
static void name_rule(struct rpf_rule *rule, const struct rpf_parsed_rule *parsed)
{
	rule->kind = parsed->is_iptables ? RPF_RULE_IPTABLES_NFT : rule->kind;
	rule->check = parsed->check;
	rule->own_more = parsed->more;
	rule->number = parsed->number;
	rule->handle = parsed->handle;
	rule->comment = parsed->comment;
}

static void note(struct walk *walk, const struct rpf_chain *chain, const struct rpf_parsed_rule *parsed,
		 const struct path *path)
{
	bool is_checked = path->checking && !parsed->check && parsed->verdict == RPF_VERDICT_DROP;
	struct path own = *path;
	struct rpf_rule *rule;

	if (parsed->verdict == RPF_VERDICT_NONE || parsed->verdict == RPF_VERDICT_JUMP)
		return;
	add_conditions(&own, parsed->condition, parsed->conditions, parsed->more);
	if (path->checking && !is_checked)
		own.more = 1; /* that the check went this way is a condition too */
	rule = add_found(walk, is_checked ? path->checking_chain : chain, &own);
	if (!rule)
		return;
	name_rule(rule, is_checked ? path->checking : parsed);
	rule->own_from = is_checked ? path->checking_from : path->conditions;
	rule->own_to = is_checked ? path->checking_to : own.conditions;
	if (is_checked)
		rule->via = chain->name;
	rule->verdict = parsed->verdict;
	rule->has_packets = parsed->has_packets;
	rule->packets = parsed->packets;
}

static struct rpf_chain *find_target(struct walk *walk, const struct rpf_chain *from,
				     const struct rpf_parsed_rule *parsed)
{
	bool is_legacy = from->kind == RPF_RULE_LEGACY;
	uint32_t hash = parsed->target ? hash_of(parsed->target) : 0;
	size_t i;

	if (!is_legacy && !parsed->target)
		return NULL;
	for (i = 0; i < walk->chains->count; i++) {
		struct rpf_chain *chain = &walk->chains->chains[i];

		if (is_legacy ? chain->offset != parsed->target_offset : chain->hash != hash)
			continue;
		if (chain->kind == from->kind && chain->family == from->family &&
		    !strcmp(chain->table, from->table) && (is_legacy || !strcmp(chain->name, parsed->target)))
			return chain;
	}
	return NULL;
}

static void load(struct walk *walk, struct rpf_chain *chain)
{
	if (chain->is_loaded)
		return;
	chain->is_loaded = 1;
	walk->err = rpf_nft_read_rules(walk->chains, chain);
}

static void walk_chain(struct walk *walk, struct rpf_chain *chain, const struct path *path);

static void follow(struct walk *walk, const struct rpf_chain *chain, const struct rpf_parsed_rule *parsed,
		   const struct path *path)
{
	struct rpf_chain *target = find_target(walk, chain, parsed);
	struct path deeper = *path;

	if (!target || ++deeper.depth > MAX_DEPTH)
		return;
	add_conditions(&deeper, parsed->condition, parsed->conditions, parsed->more);
	if (parsed->check) {
		deeper.checking = parsed;
		deeper.checking_chain = chain;
		deeper.checking_from = path->conditions;
		deeper.checking_to = deeper.conditions;
	}
	walk_chain(walk, target, &deeper);
}

static void walk_chain(struct walk *walk, struct rpf_chain *chain, const struct path *path)
{
	size_t i;

	load(walk, chain);
	for (i = 0; i < chain->count && !walk->err; i++) {
		const struct rpf_parsed_rule *parsed = &chain->rules[i];

		if (++walk->steps > RPF_RULESET_STEPS)
			walk->chains->is_cut = true;
		if (rpf_chains_late(walk->chains))
			return;
		note(walk, chain, parsed, path);
		if (parsed->verdict == RPF_VERDICT_JUMP || parsed->verdict == RPF_VERDICT_GOTO)
			follow(walk, chain, parsed, path);
	}
}

static void note_policy(struct walk *walk, const struct rpf_chain *base, const struct path *path)
{
	struct rpf_rule *rule = base->drops_rest ? add_found(walk, base, path) : NULL;

	if (!rule)
		return;
	rule->is_policy = 1;
	rule->verdict = RPF_VERDICT_DROP;
	rule->has_packets = base->kind == RPF_RULE_LEGACY;
	rule->packets = base->policy_packets;
}

/* Without a check in it, nothing that lets packets pass a chain is of interest: only what may drop them. */
static void tell(struct walk *walk)
{
	bool has_check = false;
	size_t i;

	for (i = 0; i < walk->count; i++)
		has_check = has_check || walk->found[i].check;
	for (i = 0; i < walk->count; i++) {
		const struct rpf_rule *rule = &walk->found[i];

		if (!has_check && rule->verdict != RPF_VERDICT_DROP && rule->verdict != RPF_VERDICT_OTHER)
			continue;
		if (walk->told++ == RPF_RULESET_RULES) {
			walk->chains->is_cut = true;
			return;
		}
		walk->visit(walk->context, rule);
	}
}

static int compare_bases(const void *a, const void *b)
{
	const struct rpf_chain *one = *(struct rpf_chain *const *)a, *other = *(struct rpf_chain *const *)b;

	if (one->hook != other->hook)
		return one->hook < other->hook ? -1 : 1;
	if (one->priority != other->priority)
		return one->priority < other->priority ? -1 : 1;
	return one < other ? -1 : one > other;
}

static size_t sort_bases(struct rpf_chains *chains, struct rpf_chain **bases)
{
	size_t i, count = 0;

	for (i = 0; i < chains->count; i++) {
		uint8_t hook = chains->chains[i].hook;

		if (hook && chains->hooks & 1u << hook)
			bases[count++] = &chains->chains[i];
	}
	qsort(bases, count, sizeof(*bases), compare_bases);
	return count;
}

static int walk_bases(struct walk *walk)
{
	struct rpf_chain **bases = calloc(walk->chains->count + 1, sizeof(*bases));
	size_t i, count;

	if (!bases)
		return -ENOMEM;
	count = sort_bases(walk->chains, bases);
	for (i = 0; i < count && !walk->err && !walk->chains->is_cut; i++) {
		struct path path = { .base = bases[i] };

		walk->base = i;
		walk->count = 0;
		add_conditions(&path, &bases[i]->condition, bases[i]->conditions, bases[i]->more);
		walk_chain(walk, bases[i], &path);
		if (!walk->chains->is_cut)
			note_policy(walk, bases[i], &path);
		tell(walk);
	}
	free(walk->found);
	free(bases);
	return walk->err;
}

int rpf_chains_walk(struct rpf_chains *chains, void (*visit)(void *context, const struct rpf_rule *rule),
		    void *context)
{
	struct walk walk = { .chains = chains, .visit = visit, .context = context };

	return walk_bases(&walk);
}

struct question {
	struct rpf_chains chains;
	void (*visit)(void *context, const struct rpf_rule *rule);
	void *context;
};

static int read_all(void *context)
{
	struct question *question = context;
	int err = rpf_nft_read_chains(&question->chains);

	if (!err)
		err = rpf_xt_read_chains(&question->chains);
	return err ? err : rpf_chains_walk(&question->chains, question->visit, question->context);
}

int rpf_ruleset(uint32_t netns, uint8_t family, uint32_t hooks, uint32_t budget_ms,
		void (*visit)(void *context, const struct rpf_rule *rule), void *context)
{
	struct question question = { .chains = { .family = family, .hooks = hooks },
				     .visit = visit,
				     .context = context };
	int err;

	question.chains.deadline_ns = rpf_now_ns() + budget_ms * 1000000ull;
	err = rpf_in_netns(netns, read_all, &question);
	rpf_chains_forget(&question.chains, 0);
	free(question.chains.chains);
	if (err)
		return err;
	return question.chains.is_cut ? RPF_RULESET_CUT : 0;
}
