/* SPDX-License-Identifier: MIT */
/* The few facts kept across restarts outside the database: where they live, and the devices' unique ids. */
#ifndef FOCUSD_STATE_H
#define FOCUSD_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* Room for the path of a file in the state directory, NUL included. */
#define STATE_PATH_MAX 1200

/* Chooses and makes the state directory: option (may be NULL), else $STATE_DIRECTORY, else /var/lib/focusd when
 * writable, else $XDG_STATE_HOME/focusd or ~/.local/state/focusd. ERR_IO when no place is given, the path is too
 * long, or it names something that is no directory and can never be one. A directory that cannot be written, or
 * cannot be made on a full or read-only disk, is no error: see state_can_write(). */
enum err_code state_dir(const char *option, char *out, size_t cap, struct err *err);

/* Makes this process the only one that works in dir, until *fd is closed or the process ends, however it ends.
 * ERR_INVALID_OPERATION names the process that is there already. Where no lock can be had because dir cannot be
 * written, the log says so and *fd is -1. */
enum err_code state_lock(const char *dir, int *fd, struct err *err);

/* Gives the lock back; -1 is fine. */
void state_unlock(int fd);

/* Finds the UUID of a device key such as "focuser.0", which is made at random once and kept in dir/devices.json;
 * out gets 36 characters and NUL. A damaged file (empty, cut, no regular file, an id that is none) is put aside and
 * begun anew with the ids in it that are good, and the log says so; where nothing can be written, the id is good as
 * long as this process lives, and the log says so. ERR_IO when the system has no random numbers. */
enum err_code state_unique_id(const char *dir, const char *key, char out[37], struct err *err);

/* Writes a whole file so that after a power cut either the old or the new one is there: a temporary file, fsync,
 * rename, fsync of the directory. */
enum err_code state_write_file(const char *path, const void *data, size_t len, struct err *err);

/* Renames whatever stands at path (a file, a directory, a link) to path.damaged-N with the least N from 1 that is free.
 * False, with errno, when that fails; aside is then of no use. */
bool state_put_aside(const char *path, char aside[STATE_PATH_MAX]);

/* Tries whether dir takes a file; false with the reason when it does not: read-only, full, not there. */
bool state_can_write(const char *dir, struct err *err);

#endif
