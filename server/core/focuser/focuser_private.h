/* SPDX-License-Identifier: MIT */
/*
 * The inside of a focuser, put together from its parts.  Each part is a struct with a file that alone writes it:
 * motion (what was last read), leg (the way of a move), halt, stop_kept, arrival, phase, temperature, position_memory,
 * set_position, calibration, port.  focuser.c writes what clients wish, worker.c decides what comes next, link_up.c
 * is the life of the link, and drive.c alone calls the driver.
 */
#ifndef FOCUSD_FOCUSER_PRIVATE_H
#define FOCUSD_FOCUSER_PRIVATE_H

#include "arrival.h"
#include "calibration.h"
#include "device_private.h"
#include "drive.h"
#include "focuser.h"
#include "focuser_driver.h"
#include "halt.h"
#include "leg.h"
#include "motion.h"
#include "numbering.h"
#include "phase.h"
#include "port.h"
#include "position_memory.h"
#include "renumbered.h"
#include "set_position.h"
#include "stop_kept.h"
#include "temperature.h"

/* All under the device's lock, except that ctx, port, book, fresh_caps, identified, first_* and fresh belong to the
 * worker. */
struct focuser_core {
	const struct focuser_driver *driver;
	const struct config_focuser *cfg; /* its section of dev->config, which says who may read it when */
	void *ctx;
	struct focuser_port port; /* the configured one, with what its name means now */
	struct port_book book;
	struct focuser_caps fresh_caps;
	bool identified;         /* since the port was opened; fresh_caps are its */
	struct focuser_reading fresh;
	bool first_read;         /* since the port was opened: a position to be said again */
	int32_t first_position;  /* the motor's steps */

	struct focuser_caps caps; /* its max_step as clients see it, and as configured */
	bool caps_known;
	struct numbering numbering; /* the one way from the motor's numbers to those of clients, and back */
	struct renumbered renumbered; /* what 0.1.0, which numbered otherwise, has left behind */
	enum moves_approach approach;
	struct moves_rules rules;

	int64_t next_poll_ms;    /* device clock */
	unsigned poll_failures;  /* in a row */
	struct motion motion;
	struct log_lasting outside; /* whether the log knows that the motor stands outside its range */
	struct temperature temperature;
	struct focuser_memory memory;
	struct set_position set_position;
	struct calibration calibration;
	struct tempcomp {
		bool on;         /* the device compensates by itself */
		bool wanted;     /* and shall */
	} tempcomp;

	/* The operation. */
	enum move_phase phase;   /* changed by focuser_set_phase() alone, as is ours */
	bool ours;               /* the motor was sent, and the operation is not over */
	uint64_t op;             /* the newest accepted */
	uint64_t looked_op;      /* the motor was looked at since this was accepted */
	int32_t target;
	bool clamped;            /* of the newest move that was accepted: its target was held to the limits */
	int32_t asked;           /* and what the client had asked for */
	int64_t gather_until_ms; /* device clock: the worker looks for a newer target then by itself */
	uint64_t done_op;        /* the newest that is over, and how it ended */
	struct err done;
	struct told_failure move_told;
	struct leg leg;
	struct halt halt;
	struct stop_kept stop;
	struct arrival arrival;
};

/* Of a device of this kind, which the kind's functions are given alone. */
static inline struct focuser_core *focuser_of(const struct device *dev)
{
	return dev->core;
}

/* See struct device_class: the settings of the next move. */
bool focuser_between(const struct device *dev);
void focuser_configure(struct device *dev);

/* See struct device_class. */
extern const struct device_class focuser_class;

#endif
