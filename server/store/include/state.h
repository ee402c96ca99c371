/* SPDX-License-Identifier: MIT */
/* The few facts kept across restarts outside the database: where they live, and the devices' unique ids. */
#ifndef FOCUSD_STATE_H
#define FOCUSD_STATE_H

#include <stddef.h>

#include "err.h"

/* Chooses and makes the state directory: option (may be NULL), else $STATE_DIRECTORY, else
 * /var/lib/focusd when writable, else $XDG_STATE_HOME/focusd or ~/.local/state/focusd. */
enum err_code state_dir(const char *option, char *out, size_t cap, struct err *err);

/* Makes this process the only one that works in dir, until *fd is closed or the process ends, however
 * it ends.  ERR_INVALID_OPERATION names the process that is there already. */
enum err_code state_lock(const char *dir, int *fd, struct err *err);

/* Finds the UUID of a device key such as "focuser.0", which is made at random once and kept in dir/devices.json; out
 * gets 36 characters and NUL. */
enum err_code state_unique_id(const char *dir, const char *key, char out[37], struct err *err);

/* Writes a whole file so that after a power cut either the old or the new one is there: a temporary file, fsync,
 * rename, fsync of the directory. */
enum err_code state_write_file(const char *path, const void *data, size_t len, struct err *err);

#endif
