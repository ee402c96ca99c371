/* SPDX-License-Identifier: MIT */
/*
 * Builds the server's devices and their jobs from the configuration, hands each what it needs, and takes all of it
 * down in reverse. Only the program's start, its end and tests know it.
 */
#ifndef FOCUSD_OBSERVATORY_H
#define FOCUSD_OBSERVATORY_H

#include <stdint.h>

#include "err.h"
#include "served.h"
#include "settings.h"

struct observatory;
struct device_patience;

struct observatory_options {
	const char *state_dir;
	uint64_t seed;
	double time_factor;      /* simulated devices run this many times faster */
	const struct device_patience *patience; /* NULL: what clients are promised; for tests */
};

/* Builds devices, workers and the run store from the settings, which are borrowed and must outlive the observatory, and
 * listens to their changes. Connects the devices with connect = start. Moves nothing. */
enum err_code observatory_create(struct settings *settings, const struct observatory_options *options,
	struct observatory **out, struct err *err);

/* Aborts runs, halts motion, closes links, joins threads, frees.  NULL is fine. */
void observatory_destroy(struct observatory *obs);

/* What was built; lives as long as the observatory. */
const struct served *observatory_served(const struct observatory *obs);

#endif
