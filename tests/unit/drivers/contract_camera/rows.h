/* SPDX-License-Identifier: MIT */
/*
 * The camera contract suite drives every registered camera driver, the same tests for all.  A new driver adds a row
 * to rows.c, one for each shape of frame that it has.
 */
#ifndef FOCUSD_CONTRACT_CAMERA_ROWS_H
#define FOCUSD_CONTRACT_CAMERA_ROWS_H

#include <stdbool.h>

#include "../../sim/sim_host.h"
#include "camera_driver.h"

struct upstream;
struct indi_upstream;

/* What a row may prepare, before the driver is opened. */
struct camera_setting {
	struct test_host host; /* with a fake clock, for a driver that is simulated */
	struct camera_port port;
	struct indi_upstream *indi;
	struct upstream *upstream; /* the other server of a row that needs one */
	char folder[64];       /* an empty one, removed afterwards with what is in it */
};

struct camera_row {
	const char *driver; /* as registered */
	const char *shape;  /* for messages */
	enum image_type type;
	int planes;
	/* Makes the device, or what stands for it. */
	void (*prepare)(struct camera_setting *setting);
	/* When the driver is opened again, each read-out fails; NULL: nothing can make it. */
	void (*spoil)(struct camera_setting *setting);
	/* Ends what prepare began; NULL: nothing. */
	void (*finish)(struct camera_setting *setting);
	/* A setting with which open fails; NULL: there is none. */
	void (*ruin)(struct camera_setting *setting);
};

/* All rows, ended by a NULL driver. */
extern const struct camera_row camera_rows[];

#endif
