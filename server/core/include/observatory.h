/* SPDX-License-Identifier: MIT */
/*
 * The fixed list of devices and what belongs to all of them.  Built once at start, never changed, so
 * readers need no lock.
 */
#ifndef FOCUSD_OBSERVATORY_H
#define FOCUSD_OBSERVATORY_H

#include <stdint.h>

#include "config.h"
#include "device.h"
#include "err.h"
#include "events.h"
#include "store.h"

struct observatory;
struct device_patience;

struct observatory_options {
	const char *state_dir;
	uint64_t seed;
	double time_factor;      /* simulated devices run this many times faster */
	const struct device_patience *patience; /* NULL: what clients are promised; for tests */
};

/* Builds devices, workers and the run store from the checked configuration (borrowed, must outlive
 * it).  Connects those with connect = start.  Moves nothing. */
enum err_code observatory_create(const struct config *config, const struct observatory_options *options,
	struct observatory **out, struct err *err);

/* Aborts runs, halts motion, closes links, joins threads, frees.  NULL is fine. */
void observatory_destroy(struct observatory *obs);

const struct config *observatory_config(const struct observatory *obs);
struct events *observatory_events(const struct observatory *obs);
struct store *observatory_store(const struct observatory *obs);

/* Devices by type and number; NULL when not configured.  Numbers need not be contiguous. */
struct device *observatory_device(const struct observatory *obs, enum device_type type, int number);

/* The i-th device of all, focusers first; NULL past the end. */
struct device *observatory_at(const struct observatory *obs, int i);

#endif
