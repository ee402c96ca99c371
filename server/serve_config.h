/* SPDX-License-Identifier: MIT */
/* The configuration that `focusd serve` begins with: the files, and above them the command line. */
#ifndef FOCUSD_SERVE_CONFIG_H
#define FOCUSD_SERVE_CONFIG_H

#include <stdbool.h>

#include "config.h"
#include "serve_options.h"

/* Finds the file (the one that the options name, else the system's, else the user's), reads and checks it, and fills
 * *config.  Complaints go to standard error, and with --check the verdict to standard output.  False when the server
 * cannot start with what is written.  On the main thread; looks at the disk. */
bool serve_config_load(const struct serve_options *options, const struct config_drivers *drivers,
	struct config *config);

#endif
