/* SPDX-License-Identifier: MIT */
/*
 * Where the drivers of the camera families keep the same thing: one row for each spelling.  Names are those of the
 * drivers' sources (libindi 1.9.9 indiccd.cpp, indi-3rdparty at the same time).  Pure.
 */
#ifndef FOCUSD_INDI_VARIANTS_H
#define FOCUSD_INDI_VARIANTS_H

#include "indi_store.h"

enum indi_thing {
	INDI_GAIN,
	INDI_OFFSET,
	INDI_COOLER_POWER,
	INDI_READOUT_MODE,
	INDI_SENSOR_NAME, /* a text */
	INDI_THINGS
};

/* Where a camera has this: property and member, NULL when it has none.  Good until the store changes. */
struct indi_place {
	const struct indi_property *property;
	const struct indi_member *member;
};
struct indi_place indi_place_of(const struct indi_store *store, const char *device, enum indi_thing thing);

#define INDI_MODES_MAX 8

/* The ways in which a camera can be read out; zeroed at first.  Filled once and constant afterwards, so that whoever
 * was given the names may read them at any time. */
struct indi_modes {
	char property[INDI_NAME];               /* "" nothing is known yet */
	char member[INDI_MODES_MAX][INDI_NAME]; /* the switch of each, or the number's; "" leave it as it is */
	int32_t value[INDI_MODES_MAX];          /* of a number */
	char label[INDI_MODES_MAX][INDI_NAME];
	const char *name[INDI_MODES_MAX + 1];   /* for people; NULL-terminated, at least one */
};

/* The first is how the camera stands now, because a client that does not choose gets the first. */
void indi_modes_learn(const struct indi_store *store, const char *device, struct indi_modes *modes);

/* Switches that have to stand otherwise while focusd takes pictures than a person may have left them.  A row that the
 * camera does not have, or that stands right already, is passed over. */
struct indi_posture {
	const char *property;
	const char *wanted;     /* the switch that has to be on, */
	const char *instead;    /* when this one is on; NULL: whichever else is */
};
extern const struct indi_posture indi_postures[];
extern const size_t indi_postures_count;

/* The corner of the first red cell of a mosaic, 0 or 1 on both axes, from CFA_TYPE and CFA_OFFSET_X and _Y.  False when
 * the camera has none, or one that is not of red, green, green and blue. */
bool indi_mosaic(const struct indi_store *store, const char *device, int *red_x, int *red_y);

#endif
