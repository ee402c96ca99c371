/* SPDX-License-Identifier: MIT */
#include "folder_known.h"

#include <stdlib.h>
#include <string.h>

/* The hash FNV-1a, 64 bit (Fowler, Noll, Vo), of what comes after `hash`; begun with FNV_BASIS. */
#define FNV_BASIS 0xCBF29CE484222325u
#define FNV_PRIME 0x100000001B3u

static uint64_t hash_on(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *at = data;
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ at[i]) * FNV_PRIME;
	}
	return hash;
}

static uint64_t hash_path(const char *path)
{
	uint64_t hash = hash_on(FNV_BASIS, path, strlen(path));
	return hash != 0 ? hash : 1;
}

static uint64_t hash_stamp(const struct folder_stamp *stamp)
{
	const uint64_t words[] = {(uint64_t)stamp->size, (uint64_t)stamp->changed_ns, stamp->inode};
	return hash_on(FNV_BASIS, words, sizeof words);
}

/* The place of the path, or the free one where it belongs; cap > count. */
static struct folder_mark *place(struct folder_mark *marks, size_t cap, uint64_t path)
{
	size_t i = (size_t)path & (cap - 1);
	while (marks[i].path != 0 && marks[i].path != path) {
		i = (i + 1) & (cap - 1);
	}
	return &marks[i];
}

/* Makes room for one more: at most two thirds of the places are taken. */
static bool grow(struct folder_known *known)
{
	if (3 * (known->count + 1) <= 2 * known->cap) {
		return true;
	}
	if (known->cap >= FOLDER_MOST_KNOWN) {
		memset(known->marks, 0, known->cap * sizeof *known->marks);
		known->count = 0;
		return true;
	}
	size_t cap = known->cap > 0 ? 2 * known->cap : 256;
	struct folder_mark *marks = calloc(cap, sizeof *marks);
	if (marks == NULL) {
		return false;
	}
	for (size_t i = 0; i < known->cap; i++) {
		if (known->marks[i].path != 0) {
			*place(marks, cap, known->marks[i].path) = known->marks[i];
		}
	}
	free(known->marks);
	known->marks = marks;
	known->cap = cap;
	return true;
}

void folder_known_set(struct folder_known *known, const char *path, const struct folder_stamp *stamp)
{
	if (!grow(known)) {
		return;
	}
	uint64_t hash = hash_path(path);
	struct folder_mark *mark = place(known->marks, known->cap, hash);
	known->count += mark->path == 0 ? 1 : 0;
	*mark = (struct folder_mark){.path = hash, .stamp = hash_stamp(stamp)};
}

bool folder_known_is(const struct folder_known *known, const char *path, const struct folder_stamp *stamp)
{
	if (known->cap == 0) {
		return false;
	}
	uint64_t hash = hash_path(path);
	const struct folder_mark *mark = place(known->marks, known->cap, hash);
	return mark->path == hash && mark->stamp == hash_stamp(stamp);
}

void folder_known_fini(struct folder_known *known)
{
	free(known->marks);
	*known = (struct folder_known){.marks = NULL};
}
