/* SPDX-License-Identifier: MIT */
/* Which files were seen already, and as what; sixteen bytes a file.  Pure; one thread. */
#ifndef FOCUSD_FOLDER_KNOWN_H
#define FOCUSD_FOLDER_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "folder_tree.h"

/* The most places, of which two thirds are taken: four megabytes, and the frames of years.  When there are more files,
 * everything is forgotten and learned anew, so that an old frame may be taken for one that has come. */
#define FOLDER_MOST_KNOWN ((size_t)1 << 18)

/* Zeroed: nothing is known. */
struct folder_known {
	struct folder_mark {
		uint64_t path, stamp; /* hashes; path 0: the place is free */
	} *marks;
	size_t count, cap;           /* cap is a power of two */
};

/* Remembers a file; without memory it is not remembered. */
void folder_known_set(struct folder_known *known, const char *path, const struct folder_stamp *stamp);
/* Whether the file was remembered with this very stamp. */
bool folder_known_is(const struct folder_known *known, const char *path, const struct folder_stamp *stamp);
void folder_known_fini(struct folder_known *known);

#endif
