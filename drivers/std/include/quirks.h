/* SPDX-License-Identifier: MIT */
/* The words of [focuser.N] quirks, as a driver reads them.  Any thread; nothing is kept. */
#ifndef FOCUSD_QUIRKS_H
#define FOCUSD_QUIRKS_H

#include "focuser_driver.h"

/* Sets the bools of the words that the port's quirks hold, and clears those of the others.  base is the struct
 * that the table's flags are offsets into; quirks may be NULL. */
void quirks_read(const struct focuser_quirk *quirks, const struct focuser_port *port, void *base);

#endif
