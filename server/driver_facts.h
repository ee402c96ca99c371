/* SPDX-License-Identifier: MIT */
/* The facts about the program's drivers that the checks of the configuration ask for. */
#ifndef FOCUSD_DRIVER_FACTS_H
#define FOCUSD_DRIVER_FACTS_H

#include "config.h"

struct driver_facts {
	struct config_drivers table; /* for config_check(); valid until driver_facts_fini() */
	struct config_driver *focusers, *cameras;
	struct buf *quirks; /* the words of each focuser driver */
	size_t focuser_count;
};

/* Collects the facts from the lists of drivers; `facts` has to be zeroed before. False when out of memory.
 * driver_facts_fini() frees them, also after a failure. Any thread. */
bool driver_facts_init(struct driver_facts *facts);
void driver_facts_fini(struct driver_facts *facts);

#endif
