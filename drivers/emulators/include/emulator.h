/* SPDX-License-Identifier: MIT */
/*
 * Focusers on a pseudo terminal, for trying and testing.  What a device is stands in emulated.h; here is the
 * host around it, which owns the terminal and does to the line what real lines do.  One thread.
 */
#ifndef FOCUSD_EMULATOR_H
#define FOCUSD_EMULATOR_H

#include "emulated.h"
#include "err.h"

/* All kinds, NULL-terminated. */
extern const struct emulator_kind *const emulator_kinds[];

/* The faults of the line, which every kind has; ended by a NULL name. */
extern const struct emulator_fault emulator_line_faults[];

/* Fills settings with the kind's usual values. */
void emulator_defaults(const struct emulator_kind *kind, struct emulator_settings *settings);

/* Checks settings and names of faults; ERR_INVALID_VALUE with a sentence. */
enum err_code emulator_check(const struct emulator_kind *kind,
	const struct emulator_settings *settings, struct err *err);

/* One emulated device with its pseudo terminal. */
struct emulator;

/* Called for all bytes that came from ('>') or went to ('<') the client; may be NULL. */
typedef void (*emulator_note)(void *ctx, char direction, const void *data, size_t len);

/* Opens the terminal; the device is there from now on.  settings are copied, the strings in it
 * borrowed.  link (may be NULL) is a symbolic link that is made to point at the terminal. */
enum err_code emulator_create(const struct emulator_kind *kind,
	const struct emulator_settings *settings, const char *link, emulator_note note,
	void *note_ctx, struct emulator **out, struct err *err);

/* The path for the client: "/dev/pts/3".  Valid as long as the emulator. */
const char *emulator_path(const struct emulator *emulator);

/* Serves until stop_fd is readable; survives clients that come and go. */
enum err_code emulator_run(struct emulator *emulator, int stop_fd, struct err *err);

void emulator_destroy(struct emulator *emulator);

#endif
