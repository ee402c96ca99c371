/* SPDX-License-Identifier: MIT */
/*
 * The seam for focuser drivers.  A driver is one const table; core calls it from that device's
 * worker thread only, never two calls at once, so a driver needs no lock or sleep, and
 * no thread unless its device speaks by itself (driver_host.h).  Errors
 * are returned, not logged.  Each call ends within two seconds (sooner, with ERR_CANCELLED, when the host
 * has something urgent); waiting that takes longer is core's
 * business (open_wait_ms, polling, settling).  Targets arrive already clamped and split into legs.  All
 * positions are the motor's own numbers: core alone knows how clients see them (numbering.h).
 */
#ifndef FOCUSD_FOCUSER_DRIVER_H
#define FOCUSD_FOCUSER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver_host.h"
#include "err.h"

/* A word that may stand in quirks; a table of them ends with a NULL word. */
struct focuser_quirk {
	const char *word;     /* "hand-controller" */
	const char *what;     /* for people: "the motor is reached through a hand controller" */
	/* For quirks_read(): where the bool is that this word sets (offsetof); 0: none, the driver asks
	 * focuser_has_quirk(). */
	size_t flag;
};

/* USB identity of a device or of the bridge it sits behind; a table of them ends with a vid of 0. */
struct focuser_usb_id {
	uint16_t vid, pid;       /* pid 0: any of this vid */
	const char *product;     /* must occur in the product string, in any case; NULL: any */
	/* Nothing else in the world has this identity: such a port may be opened and asked without
	 * having been named (port = auto, focusd ports --probe).  Never true of a bridge chip. */
	bool one_maker;
};

/* What identify() found out.  Steps and micrometres; text for people. */
struct focuser_caps {
	int32_t max_step;        /* > min_step; the highest position the hardware allows */
	int32_t min_step;        /* the lowest, usually 0; clients see it as 0 */
	int32_t steps_per_turn;  /* of a knob that people turn; 0 = there is none, or it is not known */
	int32_t max_increment;   /* > 0, <= max_step; longest single leg */
	bool has_temperature;
	bool has_tempcomp;       /* the device compensates by itself when told */
	bool tempcomp_on;        /* and does so already */
	double step_size_um;     /* NAN when the device does not know */
	int32_t tolerance_steps; /* arrival within this counts as arrived; usually 0 */
	int32_t backlash_steps;  /* so much backlash the device takes up itself, and core then does not.  0: it
	                          * does not, or it was not asked; poll() may tell it later */
	/* It may take up backlash by going past its target and back, and does not say how far: passing its target
	 * is then its own affair.  A reading that tells the amount ends this. */
	bool backlash_untold;
	/* Its position is told at rest only and stays as it was while the motor runs, so the way cannot be watched:
	 * core gives it the time that the slowest believable motor would take, and looks at the end. */
	bool told_at_rest;
	bool counts_itself;      /* it cannot be told where it stands, although others of its driver can */
	/* What the device said it is, e.g. "MoonLite firmware 1.0"; always the same for the same device,
	 * since a device that is found again after a loss is compared by it. */
	char identity[96];
	/* Why moves are refused for now, a sentence for people; "" when they are not.  Halting and
	 * calibrating are always allowed. */
	char move_refusal[200];
	/* A calibration that runs already, perhaps since before the port was opened. */
	bool calibrating;
	bool identity_partial;   /* it did not tell all of that just now: not compared with other times */
};

/* What poll() is asked for, as bits; a driver may deliver more. */
enum focuser_want {
	FOCUSER_WANT_MOTION = 1 << 0,      /* position and moving */
	FOCUSER_WANT_TEMPERATURE = 1 << 1,
	FOCUSER_WANT_CALIBRATION = 1 << 2, /* only of drivers that have calibrate() */
};

/* What a device says of its calibration.  IDLE is also what comes after one that failed or was
 * aborted. */
enum focuser_calibrating { FOCUSER_CALIBRATION_IDLE, FOCUSER_CALIBRATION_RUNS, FOCUSER_CALIBRATION_DONE };

/* One reading; a field counts only with its valid bit. */
struct focuser_reading {
	bool position_valid;
	int32_t position;        /* steps as the motor says; may be outside min_step..max_step, and below 0 */
	bool moving_valid;
	bool moving;
	/* The device began anew since the last reading, or its count jumped without motion: the position
	 * says nothing about where the motor is. */
	bool reset_seen;
	bool temperature_valid;
	double temperature_c;
	bool backlash_valid;
	int32_t backlash_steps;  /* as in the caps */
	bool calibration_valid;
	enum focuser_calibrating calibration;
	int calibration_step;    /* of calibration_steps, while it runs */
	/* The device itself says that the motion that it was told has failed, and why: a leg that is under way ends
	 * with this, and the motor is not sent again. */
	bool motion_failed;
	struct err failure;
};

/* What becomes of the motor's count without power, or when its port is opened (which resets many
 * boards): decides what it means that a device says another number than it said last.  See
 * server/core/focuser/position_verdict.h. */
enum focuser_count {
	FOCUSER_COUNT_MAY_BE_LOST, /* it may come back as 0 or as something older */
	FOCUSER_COUNT_KEPT,        /* another number means that the motor was moved */
	FOCUSER_COUNT_SIMULATED,   /* a simulation, which begins where it stood (struct driver_host): kept, too */
};

struct focuser_driver {
	const char *name;            /* in the configuration: "moonlite" */
	const char *title;           /* for people: "Moonlite compatible stepper" */
	size_t ctx_size;             /* of the private context, zeroed before open */
	bool uses_port;              /* `port` must be configured */
	bool uses_device;            /* heeds `device`: several may be behind one port */
	/* Its port names a server in the network: the driver gets it as it was configured, looks for the server itself,
	 * also where it says auto, and no serial port is chosen, listened to or watched for it. */
	bool behind_server;
	/* What its own parser says of a `port`: ERR_INVALID_VALUE with a sentence that shows what is understood.  Pure,
	 * any thread; for `focusd --check`.  NULL: it is a serial port, or tcp://. */
	enum err_code (*read_port)(const char *port, struct err *err);
	bool simulated;              /* runs on the scaled clock */
	/* It has no motor: a person turns it, and SetPosition says where it stands.  Such a driver needs no port, its
	 * caps refuse every move, and its readings have no position until one was said.  Programs are not told of it
	 * unless the configuration says `announce = yes`, since none of them can focus with it. */
	bool by_hand;
	enum focuser_count count;
	const struct focuser_usb_id *usb_ids; /* where its devices are found; NULL = nowhere in particular */
	int open_wait_ms;            /* default wait between open and the first identify */
	int poll_moving_ms;          /* interval of polls while moving, e.g. 200 */
	int poll_idle_ms;            /* while at rest, e.g. 1000 */
	int poll_temperature_ms;     /* between temperature polls, e.g. 5000 */
	int first_poll_ms;           /* wait after start_move before the first poll counts */
	int late_start_ms;           /* so long a motor may rest after start_move before the leg counts as
	                              * failed; 0 = core's own measure */
	int leg_retries;             /* so often a leg that ended elsewhere is started again; 0 = core's */
	bool approach_up;            /* unless configured, last legs go to the motor's larger numbers,
	                              * also where reverse makes them smaller ones for clients */
	int calibration_steps;       /* steps that a calibration counts; 0 without calibrate() */
	const char *calibration_advice; /* what to look at when one fails, for people; NULL = nothing */
	const struct focuser_quirk *quirks; /* the words it knows; NULL = none */
	bool sets_speed, sets_step_mode; /* heeds speed_steps_per_s, step_mode of its port */
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
	/* Begins a leg towards target (min_step..max_step of the caps) and returns; a new target replaces the old. */
	enum err_code (*start_move)(void *ctx, int32_t target, struct err *err);
	/* Stops now: one exchange, then returns.  Halting at rest is no error. */
	enum err_code (*halt)(void *ctx, struct err *err);
	/* Fills one reading; want is an or of enum focuser_want. */
	enum err_code (*poll)(void *ctx, unsigned want, struct focuser_reading *out, struct err *err);
	/* Optional: what a thread of this driver's posted (struct driver_host), one post a call; (NULL, 0) says
	 * that posts were dropped, so that what is known has to be asked for anew.  It remembers and returns at
	 * once; poll() is called soon afterwards, and tells.  ERR_IO: what was posted is that the link is
	 * lost. */
	enum err_code (*posted)(void *ctx, const void *data, size_t size, struct err *err);
	/* Optional (NULL = not implemented): the device's own temperature compensation. */
	enum err_code (*set_tempcomp)(void *ctx, bool on, struct err *err);
	/* Optional: tells the device where it stands (min_step..max_step), without motion.  Called at rest only;
	 * ERR_OK when the device has confirmed it. */
	enum err_code (*set_position)(void *ctx, int32_t position, struct err *err);
	/* Optional: begins the device's own calibration, which drives to both ends, or aborts it; returns
	 * at once.  When it has ended, core identifies the device again.  One that runs is ended by this
	 * and never by halt(). */
	enum err_code (*calibrate)(void *ctx, bool start, struct err *err);
};

/* Whether a word stands in the port's quirks. */
bool focuser_has_quirk(const struct focuser_port *port, const char *word);

/* All focuser drivers, NULL-terminated; and one by name (NULL when there is none). */
extern const struct focuser_driver *const focuser_drivers[];
const struct focuser_driver *focuser_driver_find(const char *name);

#endif
