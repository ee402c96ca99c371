/* SPDX-License-Identifier: MIT */
/*
 * Whose the camera is, and what focusd can do with it then, in words for people: the setup pages, `focusd --check` and
 * the README show this one table.
 */
#ifndef FOCUSD_CAMERA_MODES_H
#define FOCUSD_CAMERA_MODES_H

#include "camera_caps.h"
#include "config.h"

enum { CAMERA_MODE_ROWS = 8 };

/* One row of the table: what it is about, and what is true in each mode.  The first row has the title of each mode and
 * no label; the second has the names of the drivers. */
struct camera_mode_row {
	const char *label;
	const char *words[CAMERA_MODES];
};

extern const struct camera_mode_row camera_modes[CAMERA_MODE_ROWS];

/* Appends for each configured camera how focusd has it, what follows from that, and what beside its defaults the
 * sandboxed service has to be allowed.  It looks at the rights of files and folders and may take as long as that.  Any
 * thread. */
void camera_modes_describe(const struct config *config, const struct config_drivers *drivers, struct buf *out);

#endif
