/* SPDX-License-Identifier: MIT */
/*
 * A focuser's temperature: its own probe, another focuser's, or what a client told.  struct temperature is
 * written by temperature.c alone, with the device's lock held.
 */
#ifndef FOCUSD_FOCUSER_TEMPERATURE_H
#define FOCUSD_FOCUSER_TEMPERATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "thermometer.h"

struct device;

struct temperature {
	struct thermometer probe;    /* the device's own, on the device's clock */
	enum thermometer_word word;  /* on the probe's last reading */
	bool wanted;                 /* somebody's temperature comes from this probe; constant */
	int64_t next_ms;             /* device clock; when the probe is to be asked again */
	int64_t believed_real_ms;    /* clock_real(); when a reading was last believed */
	bool told;                   /* temperature_source = action: a client has told one */
	double told_c;
	int64_t told_real_ms;        /* clock_real() */
};

/* The device was made: decides whether its probe is asked at all. */
void temperature_configure(struct device *dev);

/* The link went, or another one came up: nothing is known, and the probe is to be asked at once. */
void temperature_forget(struct temperature *t);

/* Whether the probe is to be asked with this poll; if so, the next time is set. */
bool temperature_due(struct device *dev, int64_t now_ms);

/* Takes what the probe said, Celsius; true when the temperature has changed or is not known any more. */
bool temperature_take(struct device *dev, double celsius);

#endif
