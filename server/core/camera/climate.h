/* SPDX-License-Identifier: MIT */
/*
 * Cooler, temperatures and guide port of a camera.  camera_climate.c alone writes these.  Clients write wishes and
 * read what was known last; the worker does the rest between the steps of an exposure.  The device's lock guards
 * all of it.
 */
#ifndef FOCUSD_CLIMATE_H
#define FOCUSD_CLIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "camera_driver.h"
#include "device_private.h"

struct camera_core;

/* What was wished of the cooler last. */
struct cooler {
	bool on;
	double set_point_c;
	bool wanted; /* the hardware has yet to be told the two above */
};

/* A guide pulse that the hardware has yet to be told. */
struct guide_wish {
	bool wanted;
	enum camera_guide direction;
	int32_t duration_ms;
};

struct guide {
	struct guide_wish wish[2]; /* declination, right ascension */
	bool going;                /* as the driver said last */
	struct told_failure told;
};

struct climate {
	struct camera_climate read; /* last; NAN where that fails */
	int64_t next_ms;            /* device clock */
	unsigned failures;          /* in a row */
};

/* The caller holds the lock for all but camera_climate_open() and camera_climate_first(). */

/* Does the next thing for cooler and guide port and returns true with what it came to; false when there is nothing to
 * do before out->at_ms (STEP_AT).  The lock is given back around a driver call. */
bool camera_climate_step(struct device *dev, struct step *out);
/* The driver was opened: takes from its caps what it has no function for. Without the lock. */
void camera_climate_open(struct device *dev);
/* Reads once before the link is up; *all: whether each thing that the camera tells was read. ERR_IO: the camera is
 * gone. Without the lock. */
enum err_code camera_climate_first(struct device *dev, bool *all, struct err *err);
/* The link is up with what camera_climate_first() read last; what is missing of that is said in the log. After a loss
 * the cooler is told again; at first its state is taken from the camera, where that tells it. */
void camera_climate_came_up(struct device *dev, bool again);
/* The link is gone: a pulse that was going on fails with why. */
void camera_climate_went_down(struct device *dev, const struct err *why);
/* Everything is read at the next step. */
void camera_climate_look(struct camera_core *c);
/* Switches the cooler, by the worker. */
void camera_climate_cool(struct device *dev, bool on);
/* Forgets wishes and failures. */
void camera_climate_reset(struct device *dev);
/* True from the wish for a pulse to its end. */
bool camera_guiding_locked(const struct camera_core *c);

#endif
