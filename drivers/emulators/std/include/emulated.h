/* SPDX-License-Identifier: MIT */
/*
 * What an emulated device is: a table, bytes in, replies out.  The host (emulator.h) owns the terminal and
 * does to the line what real lines do.  Devices are written from their protocol documents and share no
 * code with the drivers.  All calls come from the host's one thread.
 */
#ifndef FOCUSD_EMULATED_H
#define FOCUSD_EMULATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define EMULATOR_MAX_FAULTS 16

/* A fault that can be asked for by name; a table of them ends with a NULL name. */
struct emulator_fault {
	const char *name;     /* "stall"; ending in '-' a number follows it: "offset-7" */
	const char *what;     /* for --help */
	/* Where in the device's context the bool is that this fault sets (offsetof); 0: none, the device
	 * looks it up with emulator_has_fault(). */
	size_t flag;
};

/* What a device is started with. */
struct emulator_settings {
	int32_t position;         /* steps at start */
	int32_t max_step;         /* steps; targets beyond are clamped; 0 = the device's usual */
	double speed_steps_per_s; /* at the fastest setting */
	double time_factor;       /* the motor runs so many times faster than life */
	double temperature_c;     /* what the probe measures */
	int32_t baud;             /* bytes need their time on a line of this rate; 0 = none */
	const char *faults[EMULATOR_MAX_FAULTS]; /* borrowed */
	int fault_count;
};

/* Where a device puts its reply; what does not fit is cut. */
struct emulator_reply {
	char data[128];
	size_t len;
};

struct emulator_kind {
	const char *name;                       /* "moonlite" */
	const char *title;                      /* for people */
	int32_t usual_max_step;
	int32_t usual_position;                 /* where it stands unless told */
	double usual_speed_steps_per_s;
	const struct emulator_fault *faults;    /* of the device; those of the line every kind has */
	size_t ctx_size;
	/* ctx is zeroed but for the bools of its faults, which are set; settings and clock outlive it.  The clock
	 * runs time_factor times faster than life. */
	void (*init)(void *ctx, const struct emulator_settings *settings, struct clock *clock);
	/* One byte arrived. */
	void (*byte)(void *ctx, uint8_t byte, struct emulator_reply *reply);
	/* The controller was reset; *banner is what it says while it boots. */
	void (*reset)(void *ctx, struct emulator_reply *banner);
	/* Whether it is in motion; the host pulls the plug in the first one when that is asked for. */
	bool (*moving)(void *ctx);
	/* Optional: what the device says by itself, asked for every 20 ms, but only with the fault
	 * speaks_with. */
	void (*unasked)(void *ctx, struct emulator_reply *words);
	const char *speaks_with;
};

/* Whether a fault was asked for; its number goes to *number (may be NULL), 0 where none follows its name. */
bool emulator_has_fault(const struct emulator_settings *settings, const char *name, int *number);

/* Whether the words that were asked for include only those of the table, with a number where one has to be. */
bool emulator_knows_fault(const struct emulator_fault *faults, const char *asked);

/* Sets the bools in ctx of those faults of the table that were asked for. */
void emulator_raise_faults(const struct emulator_fault *faults, const struct emulator_settings *settings,
	void *ctx);

/* Appends to a reply. */
void emulated_say(struct emulator_reply *reply, const char *text);
void emulated_say_bytes(struct emulator_reply *reply, const void *bytes, size_t n);

/* The command that is being received by a device that wants ':' text '#'.  What comes before a ':' is no
 * command; another ':' begins anew; what is longer than 15 characters is cut. */
struct emulated_line {
	char text[16];
	size_t len;
	bool open;
};

/* Takes one byte; the command's text when this one ends it (valid until the next byte), else NULL. */
const char *emulated_line_take(struct emulated_line *line, uint8_t byte);

#endif
