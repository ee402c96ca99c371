/* SPDX-License-Identifier: MIT */
/* The inside of a focuser, shared by focuser.c (what clients call) and focuser_worker.c. */
#ifndef FOCUSD_FOCUSER_PRIVATE_H
#define FOCUSD_FOCUSER_PRIVATE_H

#include "device_private.h"
#include "focuser.h"
#include "focuser_driver.h"

/* A move from acceptance to its end.  HALTING: stop was wished, the motor is not at rest yet. */
enum move_phase { MOVE_NONE, MOVE_ACCEPTED, MOVE_LEG, MOVE_SETTLE, MOVE_HALTING };

/* All under the device's lock, except that ctx, fresh_caps and fresh belong to the worker. */
struct focuser_core {
	const struct focuser_driver *driver;
	const struct config_focuser *cfg;
	void *ctx;
	struct focuser_caps fresh_caps;
	struct focuser_reading fresh;

	struct focuser_caps caps;
	bool caps_known;
	struct moves_rules rules;

	/* The last reading, in published steps (reverse applied). */
	bool position_known;
	int32_t position;
	int64_t read_real_ms;    /* clock_real() */
	bool motor_moving;
	bool temperature_known;
	double temperature_c;
	int64_t next_poll_ms;    /* device clock */
	int64_t next_temperature_ms;
	unsigned poll_failures;
	enum focuser_trust trust;

	/* After an arrival within tolerance clients see the target exactly, as long as the motor stays. */
	bool snapped;
	int32_t snap_target, snap_motor;

	/* Steps travelled in the approach direction since the last reversal, up to backlash_steps: less
	 * means that play is not taken up. */
	int32_t preload;

	/* The operation. */
	enum move_phase phase;
	uint64_t op;             /* the newest accepted */
	int32_t target;
	int64_t gather_until_ms; /* device clock: the worker looks for a newer target then by itself */
	struct moves_plan plan;
	int leg;
	int32_t leg_from;
	int leg_tries;
	int64_t leg_deadline_ms; /* device clock */
	int64_t progress_ms;     /* when the position last changed */
	int32_t progress_position;
	int rest_polls;          /* polls in a row that say: at rest, elsewhere */
	int64_t settle_until_ms;
	uint64_t done_op;        /* the newest that is over, and how it ended */
	struct err done;
	struct told_failure move_told;

	bool halt_wanted;
	int halt_tries;
	bool tempcomp, tempcomp_wanted;
};

/* Tolerance of arrival, steps. */
int32_t focuser_tolerance(const struct focuser_core *f);

/* Locked: the worker's part, see struct device_class. */
extern const struct device_class focuser_class;

#endif
