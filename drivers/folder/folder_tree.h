/* SPDX-License-Identifier: MIT */
/*
 * Which files of a folder, and of the folders in it, are frames that have come and are complete.  It looks at names,
 * sizes and times and opens no file.
 *
 * What was there at the start is known, but for the newest frame.  A file that is new, or has changed since it was
 * given out, waits: until whoever wrote it has closed it or moved it into place, where inotify tells that, else until
 * its size and time have stood still for a while.  Links are followed at the top only, so that no link leads out of the
 * tree or round in it.  One thread, which may be blocked by a file system of the network.
 */
#ifndef FOCUSD_FOLDER_TREE_H
#define FOCUSD_FOLDER_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "err.h"

struct inotify_event;

/* Without a word of inotify a file counts as complete when its size and time have stood still for so long.  Choice:
 * programs that write over a network pause for less than a second between two pieces. */
#define FOLDER_SETTLE_MS 2000
/* A file that could not be read is read once more when it has stood still for so long. */
#define FOLDER_RETRY_MS 5000

/* What shows that a file is another one than it was. */
struct folder_stamp {
	int64_t size, changed_ns; /* bytes; time of the last change, ns since 1970 */
	uint64_t inode;
};

/* A frame that is complete; path belongs to whoever got it, and is freed by free(). */
struct folder_file {
	char *path;
	struct folder_stamp stamp;
	int64_t seen_ms;   /* when it was noticed first, ms on the caller's clock */
	bool closed;       /* inotify told that its writer had done */
	int tries;         /* how often it was given out before */
};

struct folder_tree;

/* Begins to watch; nothing has been looked at so far. notify is a descriptor of inotify, which the caller owns, or -1.
 * NULL when out of memory. */
struct folder_tree *folder_tree_create(const char *root, int notify);
void folder_tree_destroy(struct folder_tree *tree);

/* Whether inotify tells of every folder that is known.  If not, only folder_tree_look() finds what is new. */
bool folder_tree_all_told(const struct folder_tree *tree);

/* Looks into every folder that has changed since the last look; the first look learns what is there.  Gives up early
 * when *quit becomes true.  ERR_IO with a sentence when the folder at the top cannot be read, ERR_NOMEM. */
enum err_code folder_tree_look(struct folder_tree *tree, int64_t now_ms, const atomic_bool *quit, struct err *err);

/* Takes in what inotify told; true when there is a folder to look into now. */
bool folder_tree_told(struct folder_tree *tree, const struct inotify_event *event, int64_t now_ms);

/* Gives out the newest of the frames that are complete; those that were noticed before it are passed over, because the
 * state of focus at this moment is wanted.  False when none is. */
bool folder_tree_next(struct folder_tree *tree, int64_t now_ms, struct folder_file *out);

/* When the next frame may be complete, ms on the caller's clock; INT64_MAX when none is awaited. */
int64_t folder_tree_due_ms(const struct folder_tree *tree);

/* A frame that was given out could not be read: it is given out again when it has stood still for a while, or has
 * changed. */
void folder_tree_again(struct folder_tree *tree, const struct folder_file *file, int64_t now_ms);

/* Whether the file is still the one that was given out. */
bool folder_tree_same(const struct folder_file *file);

#endif
