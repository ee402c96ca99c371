/* SPDX-License-Identifier: MIT */
/* The inside of a focuser, shared by focuser.c (what clients call), focuser_worker.c (link and
 * polls), focuser_legs.c (the way of a move), focuser_reading.c (what a reading means) and
 * focuser_temperature.c. */
#ifndef FOCUSD_FOCUSER_PRIVATE_H
#define FOCUSD_FOCUSER_PRIVATE_H

#include "device_private.h"
#include "focuser.h"
#include "focuser_driver.h"
#include "focuser_memory.h"
#include "ports.h"
#include "thermometer.h"

/* A move from acceptance to its end.  STOPPING: the motion that it replaces must end first, so that the
 * way can be planned from a known place.  HALTING: stop was wished, the motor is not at rest yet. */
enum move_phase {
	MOVE_NONE,
	MOVE_ACCEPTED,
	MOVE_STOPPING,
	MOVE_LEG,
	MOVE_SETTLE,
	MOVE_HALTING,
	MOVE_CALIBRATING
};

/* The running or last calibration. */
struct calibration_core {
	enum focuser_calibration_state state;
	bool start_due, abort_due; /* the worker has to tell the device */
	bool identify_due;         /* it is over, and the device must be identified again */
	bool seen;                 /* the device has said that it runs */
	int step;
	int tries;                 /* calls of the driver that failed */
	int32_t position;          /* and step: when they last changed */
	int64_t progress_ms;       /* device clock */
	int64_t began_ms;          /* device clock */
	int64_t began_utc_ms;
	int64_t next_look_ms;      /* device clock */
	char why_failed[240];      /* it is aborted for this reason */
	char reason[400];
};

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
	bool first_read;         /* since the port was opened: a position to be said again */
	int32_t first_position;  /* the motor's steps */

	struct focuser_caps caps; /* its max_step as clients see it, and as configured */
	bool caps_known;
	int32_t mirror;          /* the motor's highest position; with reverse clients see 0 there */
	int32_t motor_low;       /* and its lowest */
	enum moves_approach approach;
	struct moves_rules rules;

	/* The last reading, in published steps (reverse applied). */
	bool position_known;
	int32_t position;
	int64_t read_real_ms;    /* clock_real() */
	bool motor_moving;
	bool drifting;           /* it does not say so, but its position changes without our doing */
	bool stuck;              /* it says so without our doing, but its position does not change */
	int64_t changed_ms;      /* device clock; when the position was last seen to change */
	bool odd;                /* the last reading was not to be expected */
	struct thermometer probe; /* its own, device clock */
	enum thermometer_word probe_word; /* on the last reading */
	bool probe_wanted;       /* somebody's temperature comes from it */
	int64_t temperature_real_ms; /* clock_real(); when one was last believed */
	bool told;               /* temperature_source = action: a client has told one */
	double told_c;
	int64_t told_real_ms;    /* clock_real() */
	int64_t next_poll_ms;    /* device clock */
	int64_t next_temperature_ms;
	unsigned poll_failures;
	struct focuser_memory memory;

	/* After an arrival within tolerance clients see the target exactly, as long as the motor stays. */
	bool snapped;
	int32_t snap_target, snap_motor;

	/* Steps travelled in the approach direction since the last reversal, up to backlash_steps: less
	 * means that play is not taken up. */
	int32_t preload;
	bool ours;               /* the motor was sent, and the operation is not over */

	/* The operation. */
	enum move_phase phase;
	uint64_t op;             /* the newest accepted */
	uint64_t looked_op;      /* the motor was looked at since this was accepted */
	int32_t target;
	int64_t gather_until_ms; /* device clock: the worker looks for a newer target then by itself */
	struct moves_plan plan;
	int point;               /* of the plan, under way */
	int32_t leg_target;      /* where this leg of the way there ends */
	int32_t leg_from;        /* where the motor stood when it was told to go */
	int leg_tries, way_tries;
	int64_t leg_deadline_ms; /* device clock */
	int64_t progress_ms;     /* when the position last changed */
	int32_t progress_position;
	int64_t nearest;         /* steps; the least that was left of the leg */
	int64_t nearer_ms;       /* when that was seen */
	bool receded;            /* it was seen moving further off than that */
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
	bool halt_owed;          /* wished, and not known to be heard when the link went, or wished since */
	bool tempcomp, tempcomp_wanted;
	struct calibration_core calibration;
	struct focuser_sync_wish sync;
};

/* Polls in a row without a good answer before the link counts as lost; more where answers are garbled, since
 * a device that speaks is there, and noise on the line passes. */
#define FOCUSER_POLL_FAILURES 3
#define FOCUSER_POLL_GARBLED 6

/* Counts a poll that failed with code; true when the link is lost with it. */
bool focuser_poll_failed(struct focuser_core *f, enum err_code code);

/* Tolerance of arrival, steps. */
int32_t focuser_tolerance(const struct focuser_core *f);

/* Locked: the worker shall stop the motor. */
void focuser_wish_halt(struct focuser_core *f);

/* A motor that says it moves but does not change its position for this long is stuck. */
#define FOCUSER_STALL_MS 8000

/* Steps between two positions, whatever a driver calls a position. */
int64_t focuser_distance(int32_t a, int32_t b);

/* Whether a run may not have it just now, because it moves or is being told where it stands. */
bool focuser_busy(struct device *dev, struct err *err);
/* The same, or it may not move at all. */
bool focuser_unfit(struct device *dev, struct err *err);

/* Whether this focuser's own probe is asked at all. */
bool focuser_probe_wanted(const struct device *dev, const struct config_focuser *cfg);

/* Locked: why it may not move at all, because it calibrates or has to first; ERR_OK when it may. */
enum err_code focuser_refuse_move(struct device *dev, struct err *err);

/* Locked: the worker shall end the calibration. */
void focuser_wish_calibration_abort(struct focuser_core *f);

/* The rest is for the worker, locked. */

/* The next thing to do in MOVE_CALIBRATING, as below. */
struct step focuser_calibrate_step(struct device *dev);

/* The link is up: goes on with a calibration that runs in the device.  It is down, by wish or lost. */
void focuser_calibration_came_up(struct device *dev);
void focuser_calibration_went_down(struct device *dev, bool wished);

/* The device was identified and read again without a loss: its limits and position as they are now. */
void focuser_renew(struct device *dev);

/* Steps of the motor as clients see them, and back: reverse applied. */
int32_t focuser_from_motor(const struct focuser_core *f, int32_t motor);
int32_t focuser_to_motor(const struct focuser_core *f, int32_t position);

/* +1 or -1: the direction of final legs. */
int focuser_approach_sign(const struct focuser_core *f);

/* Whether a reading is nothing the motor can be expected to have done: it is asked again before that is
 * believed, since what a bad line makes of a number may look like one. */
bool focuser_reading_is_odd(struct focuser_core *f, const struct focuser_reading *r);

/* Takes what a reading says beside the motion: true when that is news. */
bool focuser_take_aside(struct device *dev, const struct focuser_reading *r);

/* Makes a reading the state that clients see. */
void focuser_take_reading(struct device *dev, const struct focuser_reading *r);

/* The device says how much play it takes up itself: backlash has exactly one owner. */
void focuser_own_backlash(struct device *dev, int32_t steps);

/* Takes what the probe said; true when the temperature has changed or is not known any more. */
bool focuser_take_temperature(struct device *dev, double celsius);

/* The operation is over: at its target (err NULL), or not. */
void focuser_end_move(struct device *dev, const struct err *err);

/* These do one thing. */
struct step focuser_begin_move(struct device *dev);
struct step focuser_do_halt(struct device *dev);
/* After a reading that belongs to the present operation and phase: what it means for them. */
struct step focuser_follow(struct device *dev);

/* After each reading: told to stop, the motor has to. */
void focuser_watch_halt(struct device *dev);

/* See struct device_class. */
extern const struct device_class focuser_class;

#endif
