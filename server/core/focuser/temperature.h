/* SPDX-License-Identifier: MIT */
/*
 * A focuser's temperature: its own probe, another focuser's, or what a client told.  struct temperature is
 * written by temperature.c alone, with the device's lock held.
 */
#ifndef FOCUSD_FOCUSER_TEMPERATURE_H
#define FOCUSD_FOCUSER_TEMPERATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "thermometer.h"

struct device;
struct focuser_reading;

/* What a probe has said since its port was opened. */
enum temperature_first {
	TEMPERATURE_UNASKED, /* it was not asked, since nobody wants to know or it has no probe */
	TEMPERATURE_SILENT,  /* it was asked and has said nothing that a night can have */
	TEMPERATURE_SAID,    /* a temperature, or that its wire is off */
};

struct temperature {
	struct thermometer probe;    /* the device's own, on the device's clock */
	struct log_lasting trouble;  /* what the log was told of the probe */
	int good;                    /* readings in a row that were believed */
	bool wanted;                 /* somebody's temperature comes from this probe; constant */
	int64_t next_ms;             /* device clock; when the probe is to be asked again */
	double first_c;              /* the probe's word before the link was up, Celsius; the worker's own */
	enum temperature_first first; /* what came of that question; the worker's own */
	int64_t believed_real_ms;    /* clock_real(); when a reading was last believed */
	bool told;                   /* temperature_source = action: a client has told one */
	double told_c;
	int64_t told_real_ms;        /* clock_real() */
};

/* The device was made: decides whether its probe is asked at all. */
void temperature_configure(struct device *dev);

/* The link went: nothing is known. */
void temperature_forget(struct temperature *t);

/* The port was opened, and its probe has said nothing yet. */
void temperature_opened(struct temperature *t);

/* Whether the probe has still to be asked before the link is up.  Worker, without the lock. */
bool temperature_missing(struct device *dev);

/* Takes what the probe said, or that it said nothing, before the link is up.  Worker, without the lock. */
void temperature_heard(struct device *dev, const struct focuser_reading *r);

/* The link is up with what temperature_heard() was given; a silent probe is said in the log. */
void temperature_came_up(struct device *dev);

/* Whether the probe is to be asked with this poll; if so, the next time is set. */
bool temperature_due(struct device *dev, int64_t now_ms);

/* Takes what the probe said, Celsius; true when the temperature has changed or is not known any more. */
bool temperature_take(struct device *dev, double celsius);

#endif
