/* SPDX-License-Identifier: MIT */
/*
 * Focusers on a pseudo terminal, for trying and testing.  An emulated device is a table: bytes in,
 * replies out, position a function of time.  The host around it owns the terminal and does to the
 * line what real lines do.  Devices are written from their protocol documents and share no code
 * with the drivers.
 */
#ifndef FOCUSD_EMULATOR_H
#define FOCUSD_EMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "err.h"

#define EMULATOR_MAX_FAULTS 16

/* A fault by name, and the number that follows its name ("offset-7"), 0 without. */
struct emulator_fault {
	const char *name;     /* "stall"; ending in '-' it takes a number */
	const char *what;     /* for --help */
};

struct emulator_settings {
	int32_t position;         /* steps at start */
	int32_t max_step;         /* targets beyond are clamped; 0 = the device's usual */
	double speed_steps_per_s; /* at the fastest setting */
	double time_factor;       /* the motor runs so many times faster than life */
	double temperature_c;     /* what the probe measures */
	int32_t baud;             /* bytes need their time on a line of this rate; 0 = none */
	const char *faults[EMULATOR_MAX_FAULTS];
	int fault_count;
};

/* Where a device puts its reply; more than fits is cut. */
struct emulator_reply {
	char data[128];
	size_t len;
};

struct emulator_kind {
	const char *name;                       /* "moonlite" */
	const char *title;
	int32_t usual_max_step;
	int32_t usual_position;                 /* where it stands unless told */
	double usual_speed_steps_per_s;
	const struct emulator_fault *faults;    /* of the device, ended by a NULL name */
	size_t ctx_size;
	/* ctx is zeroed; settings and clock outlive it.  The clock runs time_factor times faster. */
	void (*init)(void *ctx, const struct emulator_settings *settings, struct clock *clock);
	/* One byte arrived. */
	void (*byte)(void *ctx, uint8_t byte, struct emulator_reply *reply);
	/* The controller was reset; *reply is what it says while it boots. */
	void (*reset)(void *ctx, struct emulator_reply *banner);
	bool (*moving)(void *ctx);
	/* Optional: what the device says by itself, asked for every 20 ms, but only with this fault. */
	void (*unasked)(void *ctx, struct emulator_reply *words);
	const char *speaks_with;
};

/* All kinds, NULL-terminated. */
extern const struct emulator_kind *const emulator_kinds[];

/* The faults of the line, which every kind has; ended by a NULL name. */
extern const struct emulator_fault emulator_line_faults[];

/* Whether a fault was asked for; its number goes to *number (may be NULL). */
bool emulator_has_fault(const struct emulator_settings *settings, const char *name, int *number);

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
