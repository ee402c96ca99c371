/* SPDX-License-Identifier: MIT */
/* The thread that hears of serial ports coming and going, and tells the devices concerned. */
#ifndef FOCUSD_PLUG_H
#define FOCUSD_PLUG_H

#include "device_private.h"

struct plug;

/* devices: borrowed until plug_destroy(), which must come before they end.  NULL when no device uses a
 * port, or there are no such events here (said in the log): then lost links are found by polling
 * alone. */
struct plug *plug_create(struct device *const *devices, int count);
void plug_destroy(struct plug *plug);

#endif
