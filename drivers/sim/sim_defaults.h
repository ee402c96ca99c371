/* SPDX-License-Identifier: MIT */
/*
 * The simulated telescope when nothing is configured, for the simulator and for whoever has to know
 * the optics behind it (the critical focus zone needs them).
 */
#ifndef FOCUSD_SIM_DEFAULTS_H
#define FOCUSD_SIM_DEFAULTS_H

#include "driver_host.h"

/* Travel of the focal plane per step, um: the critical focus zone of the default telescope is then
 * 51 steps wide. */
#define SIM_STEP_SIZE_UM 3.0
/* Highest position, steps: 90 mm of the focal plane, which a moving primary mirror can reach. */
#define SIM_MAX_STEP 30000
/* Sensor, px and um. */
#define SIM_WIDTH_PX 1280
#define SIM_HEIGHT_PX 960
#define SIM_PIXEL_UM 3.76
#define SIM_SEEING_ARCSEC 2.5
#define SIM_TEMPERATURE_C 10.0

/* A 203 mm Schmidt-Cassegrain with reducer at f/7, obstruction 0.34.  Static storage. */
const struct optics_config *sim_default_optics(void);

#endif
