/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over its corpus once for each allocation that it makes, with that allocation refused,
 * and once more with every one after it refused too.  Nothing may crash or leak (the address sanitizer
 * looks), and the target's checks say what may be answered then: the whole truth or that memory is short,
 * never half of it.
 *
 * torture_NAME [--none] FOLDER...    --none: the code must not allocate at all, so that it cannot fail so.
 */
#define FUZZ_REFUSES_MEMORY
#include "fuzz.h"

#include <cJSON.h>
#include <dirent.h>

enum { INPUT_MAX = 1 << 20, REFUSED_MAX = 4000 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool counting; /* the code under test runs, not its fixture */
static long asked;    /* allocations of this run */
static long refuse_at;/* the first one that is refused; below 0 none */
static bool lasting;  /* and all after it */
static bool starved;

static bool refused(void)
{
	if (!counting) {
		return false;
	}
	long n = asked++;
	if (refuse_at < 0 || n < refuse_at || (n > refuse_at && !lasting)) {
		return false;
	}
	starved = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return refused() ? NULL : __real_realloc(memory, size);
}

bool fuzz_starved(void)
{
	return starved;
}

bool fuzz_spare(bool spare)
{
	bool before = !counting;
	counting = !spare;
	return before;
}

/* One run; returns how many allocations it asked for. */
static long run_once(const uint8_t *data, size_t size, long at, bool all_after)
{
	asked = 0;
	refuse_at = at;
	lasting = all_after;
	starved = false;
	counting = true;
	LLVMFuzzerTestOneInput(data, size);
	counting = false;
	return asked;
}

struct totals {
	long inputs, allocations, runs;
};

static void run_file(const char *path, struct totals *totals)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		abort();
	}
	size_t size = fread(data, 1, INPUT_MAX, file);
	fclose(file);
	long n = run_once(data, size, -1, false);
	totals->inputs++;
	totals->allocations += n;
	for (long at = 0; at < n && at < REFUSED_MAX; at++) {
		run_once(data, size, at, false);
		run_once(data, size, at, true);
		totals->runs += 2;
	}
}

int main(int argc, char **argv)
{
	/* The JSON library lies outside this program; this is its own way to let it be refused, too. */
	cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};
	cJSON_InitHooks(&hooks);
	bool none = argc > 1 && strcmp(argv[1], "--none") == 0;
	struct totals totals = {0};
	for (int i = none ? 2 : 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (folder == NULL) {
			perror(argv[i]);
			return 1;
		}
		for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
			char inside[4096];
			if (entry->d_name[0] != '.') {
				snprintf(inside, sizeof inside, "%s/%s", argv[i], entry->d_name);
				run_file(inside, &totals);
			}
		}
		closedir(folder);
	}
	printf("%ld inputs, %ld allocations, %ld runs with refusals\n", totals.inputs, totals.allocations,
		totals.runs);
	if (none && totals.allocations > 0) {
		fprintf(stderr, "this code must not allocate\n");
		return 1;
	}
	return totals.inputs == 0 || (!none && totals.runs == 0);
}
