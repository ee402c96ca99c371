/* SPDX-License-Identifier: MIT */
/* The seed of simulated nights for which none was given on the command line. */
#ifndef FOCUSD_SERVE_SEED_H
#define FOCUSD_SERVE_SEED_H

#include <stdint.h>

#include "config.h"

/* The seed that stays with this state directory, because a simulated focuser that stands where it stood shall find the
 * best focus where it was, too; a constant when nothing in the configuration is simulated.  It is made at random when
 * the directory has none; where it cannot be kept the log says so, and the next start has another.  May wait for the
 * disk; the drivers that the configuration names have to exist. */
uint32_t serve_seed(const struct config *config, const char *dir);

#endif
