/* SPDX-License-Identifier: MIT */
/*
 * Opening and reading small files that somebody may have replaced: by a link that leads elsewhere, by a pipe that
 * nobody writes to, by a device without end, by a file of gigabytes.  Any thread may call; each call may wait for the
 * disk, and for nothing else.
 */
#ifndef FOCUSD_PLAIN_FILE_H
#define FOCUSD_PLAIN_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* Opens a regular file with the flags of open(2), to which O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK and O_NOCTTY are added;
 * a file that O_CREAT makes gets mode 0644.  -1 when it cannot be opened, with errno: ELOOP for a symbolic link,
 * EISDIR for a directory, EINVAL for a pipe, a socket or a device. */
int plain_file_open(const char *path, int flags);

/* Adds the whole of a regular file to out, whose ceiling is the most that is taken.  False when it cannot be read,
 * with errno as above, or EFBIG when it is larger than the ceiling; ENOENT when there is none. */
bool plain_file_read(const char *path, struct buf *out);

/* Whether every user may enter the folders of this absolute path and read its end: what a service needs that runs as a
 * user of its own and has a /tmp of its own.  Links are followed; lists of rights (ACLs) are not seen.  False fills
 * `why`, the end of a sentence: "not every user may enter /home/me". */
bool plain_path_is_open(const char *path, char *why, size_t cap);

/* The words for an errno of the calls above: "it is a symbolic link", "it is no regular file", else the system's.
 * The text is good until the thread's next call of strerror(). */
const char *plain_file_reason(int error);

#endif
