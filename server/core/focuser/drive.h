/* SPDX-License-Identifier: MIT */
/*
 * Where the core of a focuser crosses to its driver.  Every driver call is made here: the lock is given back
 * around it, the transcript notes it, and a failure is counted.  On the device's worker only.
 */
#ifndef FOCUSD_FOCUSER_DRIVE_H
#define FOCUSD_FOCUSER_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct device;
struct focuser_core;
struct focuser_reading;

/* With the lock held, which is free during the call: afterwards the wishes may have changed.  All return what
 * the driver returned, and ERR_IO means that the link is lost. */

/* Reads into f->fresh; want is an or of enum focuser_want. */
enum err_code drive_poll(struct device *dev, unsigned want, struct err *err);
/* target in the motor's steps; one outside its own limits is not sent: ERR_INVALID_VALUE. */
enum err_code drive_move(struct device *dev, int32_t target, struct err *err);
enum err_code drive_halt(struct device *dev, struct err *err);
enum err_code drive_tempcomp(struct device *dev, bool on, struct err *err);
/* position in the motor's steps. */
enum err_code drive_set_position(struct device *dev, int32_t position, struct err *err);
enum err_code drive_calibrate(struct device *dev, bool start, struct err *err);

/* Polls in a row without a good answer before the link counts as lost; more where answers are garbled, since
 * a device that speaks is there, and noise on the line passes. */
#define FOCUSER_POLL_FAILURES 3
#define FOCUSER_POLL_GARBLED 6

/* Counts a poll that failed with code; true when the link is lost with it. */
bool drive_poll_failed(struct focuser_core *f, enum err_code code);

/* Tells the driver what one of its threads posted; (NULL, 0) is a gap. */
enum err_code drive_posted(struct device *dev, const void *data, size_t size, struct err *err);

/* Without the lock, while the link comes up or goes; link.c of the device counts their failures. */
enum err_code drive_open(struct device *dev, struct err *err);
void drive_close(struct device *dev);
/* Into f->fresh_caps, and the motion into f->fresh. */
enum err_code drive_identify(struct device *dev, struct err *err);
enum err_code drive_first_poll(struct device *dev, struct err *err);
/* Into *out, which says nothing of a temperature after a failure. */
enum err_code drive_ask_temperature(struct device *dev, struct focuser_reading *out, struct err *err);

#endif
