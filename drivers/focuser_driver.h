/* SPDX-License-Identifier: MIT */
/*
 * The seam for focuser drivers.  A driver is one const table; core calls it from that device's
 * worker thread only, never two calls at once, so a driver needs no lock, thread or sleep.  Errors
 * are returned, not logged.  Each call ends within two seconds (sooner, with ERR_CANCELLED, when the host
 * has something urgent); waiting that takes longer is core's
 * business (open_wait_ms, polling, settling).  Targets arrive already clamped and split into legs.
 */
#ifndef FOCUSD_FOCUSER_DRIVER_H
#define FOCUSD_FOCUSER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver_host.h"
#include "err.h"

/* The driver's part of [focuser.N]. */
struct focuser_port {
	char port[256];       /* as configured */
	int baud;             /* 0 = the driver's */
	int32_t max_step;     /* configured; 0 = the device's */
};

/* What identify() found out.  Steps and micrometres; text for people. */
struct focuser_caps {
	int32_t max_step;        /* > 0; the highest position the hardware allows */
	int32_t max_increment;   /* > 0, <= max_step; longest single leg */
	bool has_temperature;
	bool has_tempcomp;       /* the device compensates by itself when told */
	double step_size_um;     /* NAN when the device does not know */
	int32_t tolerance_steps; /* arrival within this counts as arrived; usually 0 */
	int32_t backlash_steps;  /* the device takes up so much play itself; core then leaves it alone.
	                          * 0 = it does not, or it was not asked to */
	char identity[96];       /* what the device said it is, e.g. "MoonLite firmware 1.0" */
};

/* What poll() is asked for, as bits; a driver may deliver more. */
enum focuser_want {
	FOCUSER_WANT_MOTION = 1 << 0,      /* position and moving */
	FOCUSER_WANT_TEMPERATURE = 1 << 1,
};

/* One reading; a field counts only with its valid bit. */
struct focuser_reading {
	bool position_valid;
	int32_t position;        /* steps as the motor says; may be outside 0..max_step */
	bool moving_valid;
	bool moving;
	bool temperature_valid;
	double temperature_c;
};

struct focuser_driver {
	const char *name;            /* in the configuration: "moonlite" */
	const char *title;           /* for people: "Moonlite compatible stepper" */
	size_t ctx_size;             /* of the private context, zeroed before open */
	bool uses_port;              /* `port` must be configured */
	bool simulated;              /* runs on the scaled clock */
	int open_wait_ms;            /* default wait between open and the first identify */
	int poll_moving_ms;          /* interval of polls while moving, e.g. 200 */
	int poll_idle_ms;            /* while at rest, e.g. 1000 */
	int poll_temperature_ms;     /* between temperature polls, e.g. 5000 */
	int first_poll_ms;           /* wait after start_move before the first poll counts */
	double speed_floor_steps_per_s; /* slowest believable motion; the watchdog's expectation */

	/* Optional: the default wait for this very port where it is not open_wait_ms, e.g. 0 for a
	 * network connection.  Asked before open; a configured open_wait_ms stands above both. */
	int (*open_wait_for)(const struct focuser_port *port);
	/* Opens the port; sends nothing.  host and port stay valid until close. */
	enum err_code (*open)(void *ctx, const struct focuser_port *port,
		const struct driver_host *host, struct err *err);
	/* One try (at most 1.2 s) to make sure that the right device answers, and to learn what it can.
	 * Never moves anything and never stops a motion.  Core repeats it. */
	enum err_code (*identify)(void *ctx, struct focuser_caps *caps, struct err *err);
	/* Closes; works in any state, also after a failed open. */
	void (*close)(void *ctx);
	/* Begins a leg towards target (0..max_step) and returns; a new target replaces the old. */
	enum err_code (*start_move)(void *ctx, int32_t target, struct err *err);
	/* Stops now: one exchange, then returns.  Halting at rest is no error. */
	enum err_code (*halt)(void *ctx, struct err *err);
	/* Fills one reading; want is an or of enum focuser_want. */
	enum err_code (*poll)(void *ctx, unsigned want, struct focuser_reading *out, struct err *err);
	/* Optional (NULL = not implemented): the device's own temperature compensation. */
	enum err_code (*set_tempcomp)(void *ctx, bool on, struct err *err);
	/* Optional: tells the device where it stands, without motion. */
	enum err_code (*set_position)(void *ctx, int32_t position, struct err *err);
};

/* All focuser drivers, NULL-terminated; and one by name (NULL when there is none). */
extern const struct focuser_driver *const focuser_drivers[];
const struct focuser_driver *focuser_driver_find(const char *name);

#endif
