/* SPDX-License-Identifier: Apache-2.0 */
/* Names kernel text by /proc/kallsyms, for kernels before v5.13, where programs cannot (bpf_snprintf). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpf_internal.h"

#define CHECKED_SYMBOLS 4096
#define NAME_BYTES 64 /* longer ones are cut: C functions stay far below */

struct symbol {
	uint64_t address;
	char name[NAME_BYTES];
};

struct rpf_kallsyms {
	size_t count;
	size_t room;
	struct symbol *symbols; /* of functions, by address */
};

static int add(struct rpf_kallsyms *kallsyms, uint64_t address, const char *name)
{
	struct symbol *grown;

	if (kallsyms->count == kallsyms->room) {
		kallsyms->room = kallsyms->room ? kallsyms->room * 2 : 1 << 16;
		grown = realloc(kallsyms->symbols, kallsyms->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		kallsyms->symbols = grown;
	}
	grown = &kallsyms->symbols[kallsyms->count++];
	grown->address = address;
	snprintf(grown->name, sizeof(grown->name), "%.63s", name);
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int read_all(FILE *file, struct rpf_kallsyms *kallsyms)
{
	unsigned long long address;
	char line[512], name[256], type;
	int err = 0;

	while (!err && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %c %255s", &address, &type, name) != 3)
			continue;
		if (address && (tolower(type) == 't' || tolower(type) == 'w'))
			err = add(kallsyms, address, name);
	}
	return err || kallsyms->count ? err : -EPERM; /* kptr_restrict: all addresses are 0 */
}

int rpf_kallsyms_check(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0;
	int err = file ? 0 : -errno;
	int i;

	/* Of variables that each CPU has its own of the first ones have the address 0. */
	for (i = 0; file && !address && i < CHECKED_SYMBOLS; i++) {
		if (fscanf(file, "%llx%*[^\n]", &address) != 1)
			break;
	}
	if (file)
		fclose(file);
	return err || address ? err : -EPERM; /* kptr_restrict */
}

struct rpf_kallsyms *rpf_kallsyms_read(void)
{
	struct rpf_kallsyms *kallsyms = calloc(1, sizeof(*kallsyms));
	FILE *file = fopen("/proc/kallsyms", "re");
	int err = kallsyms && file ? read_all(file, kallsyms) : -errno;

	if (file)
		fclose(file);
	if (!err) {
		qsort(kallsyms->symbols, kallsyms->count, sizeof(*kallsyms->symbols), by_address);
		return kallsyms;
	}
	rpf_kallsyms_free(kallsyms);
	errno = -err;
	return NULL;
}

void rpf_kallsyms_free(struct rpf_kallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	free(kallsyms->symbols);
	free(kallsyms);
}

int rpf_kallsyms_name(const struct rpf_kallsyms *kallsyms, uint64_t address, char *buffer, size_t bytes)
{
	size_t low = 0, high = kallsyms->count;

	while (low < high) { /* the first symbol behind the address */
		size_t middle = low + (high - low) / 2;

		if (kallsyms->symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	return snprintf(buffer, bytes, "%s+0x%llx", kallsyms->symbols[low - 1].name,
			(unsigned long long)(address - kallsyms->symbols[low - 1].address));
}
