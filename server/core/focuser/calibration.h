/* SPDX-License-Identifier: MIT */
/*
 * A calibration that the device does by itself.  struct calibration is written by calibration.c alone, with the
 * device's lock held.
 */
#ifndef FOCUSD_FOCUSER_CALIBRATION_H
#define FOCUSD_FOCUSER_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "focuser.h"
#include "step.h"

struct focuser_core;

/* The running or last calibration. */
struct calibration {
	enum focuser_calibration_state state;
	uint64_t number;           /* of one that was started here; 0: it was found running */
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

/* Any thread: why the focuser may not move at all, because it calibrates or has to first; ERR_OK when it may. */
enum err_code calibration_refuses_move(struct device *dev, struct err *err);

/* Locked, any thread: the focuser is busy, or may not move at all; see struct device_class. */
bool focuser_unfit(struct device *dev, struct err *err);

/* Any thread: the worker shall end the calibration. */
void calibration_wish_abort(struct focuser_core *f);

/* When the calibration that was begun last has ended at the latest, ms of the device's clock. */
int64_t calibration_must_end_ms(const struct focuser_core *f);

/* Worker: the device was told to end its calibration while the link came up; fine when none is known of. */
void calibration_was_ended(struct device *dev);

/* Worker: the next thing to do in MOVE_CALIBRATING. */
struct step calibration_step(struct device *dev);

/* Worker: the link is up, and a calibration that runs in the device is gone on with; the link is down, by a
 * client's wish or not. */
void calibration_came_up(struct device *dev);
void calibration_went_down(struct device *dev, bool wished);

#endif
