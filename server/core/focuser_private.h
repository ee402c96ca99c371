/* SPDX-License-Identifier: MIT */
/* The inside of a focuser, shared by focuser.c (what clients call) and focuser_worker.c. */
#ifndef FOCUSD_FOCUSER_PRIVATE_H
#define FOCUSD_FOCUSER_PRIVATE_H

#include "device_private.h"
#include "focuser.h"
#include "focuser_driver.h"
#include "ports/ports.h"

/* A move from acceptance to its end.  STOPPING: the motion that it replaces must end first, so that the
 * way can be planned from a known place.  HALTING: stop was wished, the motor is not at rest yet. */
enum move_phase { MOVE_NONE, MOVE_ACCEPTED, MOVE_STOPPING, MOVE_LEG, MOVE_SETTLE, MOVE_HALTING };

/* All under the device's lock, except that ctx, port*, fresh_caps, identified and fresh belong to the worker. */
struct focuser_core {
	const struct focuser_driver *driver;
	const struct config_focuser *cfg;
	void *ctx;
	struct focuser_port port; /* the configured one, with what its name means now */
	struct port_identity port_known, port_fresh; /* remembered; of the port that is open */
	bool port_loaded;        /* port_known was read from the state directory */
	bool port_proven;        /* the open port is the remembered one by its serial number */
	struct focuser_caps fresh_caps;
	bool identified;         /* since the port was opened; fresh_caps are its */
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
	int64_t temperature_real_ms; /* clock_real(); when it was read */
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
	int32_t leg_from;        /* where the motor stood when it was told to go */
	int leg_tries;
	int64_t leg_deadline_ms; /* device clock */
	int64_t progress_ms;     /* when the position last changed */
	int32_t progress_position;
	double speed_steps_per_ms; /* seen between the last two polls; 0 unknown */
	int rest_polls;          /* polls in a row that say: at rest, elsewhere */
	int64_t settle_until_ms;
	uint64_t done_op;        /* the newest that is over, and how it ended */
	struct err done;
	struct told_failure move_told;

	bool halt_wanted;
	int halt_tries;          /* calls of the driver that failed */
	int halt_repeats;        /* because the motor did not stop */
	int64_t halted_ms;       /* device clock; when the driver was last told to stop */
	bool halt_watched;       /* the motor must come to rest, or is told again */
	bool tempcomp, tempcomp_wanted;
};

/* Tolerance of arrival, steps. */
int32_t focuser_tolerance(const struct focuser_core *f);

/* Locked: the worker shall stop the motor. */
void focuser_wish_halt(struct focuser_core *f);

/* Steps between two positions, whatever a driver calls a position. */
int64_t focuser_distance(int32_t a, int32_t b);

/* Locked: the worker's part, see struct device_class. */
extern const struct device_class focuser_class;

#endif
