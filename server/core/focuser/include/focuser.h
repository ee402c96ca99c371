/* SPDX-License-Identifier: MIT */
/*
 * Everything true of every focuser, above the driver: limits, legs and backlash, arrival, halts, and a copy of its
 * state.  Any thread may call; nothing here waits for hardware unless it says so.
 */
#ifndef FOCUSD_FOCUSER_H
#define FOCUSD_FOCUSER_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "moves.h"
#include "numbering.h"
#include "position_trust.h"

/* One consistent copy of the state.  Positions in steps as clients see them (numbering.h) unless said otherwise. */
struct focuser_state {
	enum device_link link;
	bool is_moving;
	bool position_valid;       /* there is a position of this link */
	bool position_stale;       /* older than three poll periods, or the link is lost */
	int64_t position_age_ms;
	int32_t position;          /* the target exactly once a move has ended within tolerance */
	int32_t measured_position; /* what the motor said; may be outside 0..max_step */
	int32_t motor_position;    /* the same by the motor's own count */
	struct numbering numbering; /* how the two counts belong together; of the last link */
	int32_t target;            /* of the running or last move */
	bool clamped;              /* that move was asked to go beyond the limits, and goes to the nearest of them */
	int32_t asked;             /* what it was asked for then, any number */
	enum focuser_trust trust;
	char trust_why[FOCUSER_WHY]; /* a sentence while it is not known; "" before the first link */
	bool remembered_known;     /* `remembered` holds something */
	int32_t remembered;        /* where it stands by the count from before a shift, or where it was last seen */
	bool within_known;         /* it is unknown, but surely between the next two */
	int32_t within_low, within_high;
	bool outside;              /* the motor rests outside 0..max_step, see measured_position */
	bool can_set_position;     /* the device can be told where it stands */
	uint64_t set_positions;    /* grows with each SetPosition that is over */
	bool journal_failing;      /* the newest entry is not on the disk: a power cut loses the position */
	bool stop_owed;            /* a STOP could not be sent: it is the first order when the link is back */
	char stop_words[FOCUSER_WHY]; /* a sentence about it, or about what became of it; "" nothing to tell */
	bool temperature_supported;
	bool temperature_valid;
	double temperature_c;
	int32_t min_step, max_step, max_increment;
	int32_t steps_per_turn;    /* of the knob that people turn; 0 without one, or unknown */
	bool by_hand;              /* there is no motor: people turn it and say where it stands */
	double step_size_um;       /* micrometres of travel per step; NAN unknown */
	bool tempcomp_available;
	bool tempcomp;
	int32_t backlash_steps;    /* backlash that focusd takes up; 0 where the device does */
	int32_t device_backlash_steps; /* backlash that the device takes up by itself */
	enum moves_approach approach;
	uint64_t leased_to_run;    /* the run that holds it; 0 nobody */
	char identity[96];
};

/* Every function here wants a device of this kind. */
extern const struct device_kind focuser_kind;

void focuser_state(struct device *dev, struct focuser_state *out);

/* The Alpaca members.  All need the link (ERR_NOT_CONNECTED); the caller has checked the client. */

/* Begins a move and returns; is_moving is true before this returns (unless already there).  target
 * outside min_step..max_step is clamped silently, as the official checker wants it; the state and the log say so.
 * While a run holds the
 * lease: ERR_INVALID_OPERATION naming it.  Link lost: ERR_IO with a sentence. */
enum err_code focuser_move(struct device *dev, int32_t target, struct err *err);

/* Stops now and aborts a run that holds the lease; nothing moves afterwards.  Fine at rest.  Link lost: ERR_IO with a
 * sentence.  The motion that was under way when the link went is owed the STOP then: it is sent before the link is up
 * again, as the first order, if the motor still makes that motion (stop_owed.h); also when a client has closed the lost
 * link meanwhile. */
enum err_code focuser_halt(struct device *dev, struct err *err);

/* Completion property (IsMoving): a failed move is reported here to everybody for 5 s, then *out is false. */
enum err_code focuser_is_moving(struct device *dev, bool *out, struct err *err);

/* The position that clients see, steps: ERR_VALUE_NOT_SET while it is unknown, ERR_IO with its age while it is
 * stale. */
enum err_code focuser_position(struct device *dev, int32_t *out, struct err *err);

/* Degrees Celsius by the configured source: ERR_NOT_IMPLEMENTED without a sensor, ERR_VALUE_NOT_SET while there is
 * no fresh reading. */
enum err_code focuser_temperature(struct device *dev, double *out, struct err *err);

/* A client's word, for temperature_source = action (else ERR_INVALID_OPERATION); it counts for 15
 * minutes.  ERR_INVALID_VALUE outside -55..60 C. */
enum err_code focuser_tell_temperature(struct device *dev, double celsius, struct err *err);

enum err_code focuser_set_tempcomp(struct device *dev, bool on, struct err *err);

/* The device's own calibration, which drives it to both ends; the last one since the start. */
enum focuser_calibration_state {
	CALIBRATION_NONE,
	CALIBRATION_RUNNING,
	CALIBRATION_DONE,
	CALIBRATION_FAILED,
	CALIBRATION_ABORTED
};
const char *focuser_calibration_name(enum focuser_calibration_state state); /* "none", "running", ... */

struct focuser_calibration {
	bool possible;          /* this kind of focuser can calibrate itself */
	enum focuser_calibration_state state;
	uint64_t ongoing;       /* number of the one that was started here, goes on, and has not been asked to end; 0:
				 * there is none. No number comes twice. */
	int step, of;
	double progress;        /* 0..1 */
	int64_t started_utc_ms; /* 0 before any */
	bool limits_known;      /* connected once, and calibrated or in no need of it */
	int32_t low, high;      /* the motor's own limits, as the motor counts */
	char reason[400];       /* a sentence when it did not succeed */
	char refusal[200];      /* why moves are refused; "" when they are not */
};

void focuser_calibration(struct device *dev, struct focuser_calibration *out);

/* Writes it as an object: state, progress, step, of, started, limits, reason. */
struct json_writer;
void focuser_calibration_json(const struct focuser_calibration *c, struct json_writer *w);

/* Starts one and returns: is_moving is true until it is over.  ERR_NOT_IMPLEMENTED where the device
 * cannot; ERR_INVALID_OPERATION while a run holds the lease, while it moves or calibrates; the link. */
enum err_code focuser_calibrate(struct device *dev, struct err *err);

/* Aborts a calibration, as focuser_halt() does too; fine when none runs.  ERR_NOT_IMPLEMENTED where the device
 * cannot. */
enum err_code focuser_calibrate_abort(struct device *dev, struct err *err);

/* SetPosition: the device is told where it stands, without motion, or its own word is taken.  Begins
 * and returns; *ticket names it.  ERR_INVALID_VALUE outside 0..max_step or with nothing to restore,
 * ERR_INVALID_OPERATION while moving or leased, ERR_NOT_IMPLEMENTED when the device cannot be told. */
enum focuser_set_how { FOCUSER_SET_TO, FOCUSER_SET_RESTORE, FOCUSER_SET_KEEP };
enum err_code focuser_set_position(struct device *dev, enum focuser_set_how how, int32_t position,
	uint64_t *ticket, struct err *err);

/* Whether the SetPosition with that ticket is over, with how it ended in *result (and err).  After ERR_OK the
 * position is known and the journal has been told. */
bool focuser_set_position_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err);

/* For jobs: the same move for the holder of the lease; *op names it. */
enum err_code focuser_run_move(struct device *dev, uint64_t run, int32_t target, uint64_t *op,
	struct err *err);

/* Blocks (autofocus thread only) until operation op is over, *cancel becomes true, or deadline_ms on
 * the device's clock: ERR_OK on arrival, ERR_CANCELLED, ERR_TIMEOUT, or the move's error. */
enum err_code focuser_run_wait(struct device *dev, uint64_t op, const _Atomic bool *cancel,
	int64_t deadline_ms, struct err *err);

/* Blocks (jobs only) until the motor rests or the link is down, at the latest until deadline_ms on clock_real().  A
 * link that is being closed is waited for, since the motor is stopped then. */
void focuser_wait_rest(struct device *dev, int64_t deadline_ms);

#endif
