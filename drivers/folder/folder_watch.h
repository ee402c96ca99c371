/* SPDX-License-Identifier: MIT */
/*
 * The thread that watches a folder and reads what comes into it, at a low priority.  It waits for inotify where the
 * folder is on this machine's disk, and looks every few seconds where other machines may write (NFS, SMB, FUSE and the
 * like), because inotify tells nothing of those.
 *
 * A file system of the network may block whoever asks it, for ever.  So whoever ends the watch waits for a second and
 * then leaves the thread to itself; it owns what it works with, posts nothing any more, and ends when it is let go.
 */
#ifndef FOCUSD_FOLDER_WATCH_H
#define FOCUSD_FOLDER_WATCH_H

#include "camera_arrival.h"
#include "driver_host.h"
#include "err.h"

struct folder_watch;

/* Begins, and waits until what is there was looked at, but not longer than a second and a half.  Afterwards the host's
 * post() is called with one byte, which means nothing, for everything that is new.  ERR_IO with a sentence when the
 * folder cannot be read or does not answer in that time; ERR_NOMEM. */
enum err_code folder_watch_begin(const char *path, const struct driver_host *host, struct folder_watch **out,
	struct err *err);
/* Ends it, and drops what was not taken; NULL is fine.  At most a second. */
void folder_watch_end(struct folder_watch *watch);

/* Takes what came last and was not taken; false when nothing did.  Any thread. */
bool folder_watch_take(struct folder_watch *watch, struct camera_arrival *out);
/* ERR_OK while the folder can be read; else ERR_IO with a sentence, and the thread has ended.  Any thread. */
enum err_code folder_watch_lost(struct folder_watch *watch, struct err *err);

#endif
