/* SPDX-License-Identifier: MIT */
/*
 * What runs have taught, in memory: for each instrument (focuser, camera, telescope, binning) and filter the lessons of
 * the newest runs, and what they say together.  Private to the room; this file takes no lock and does not touch the
 * disk.
 */
#ifndef FOCUSD_LEARNED_H
#define FOCUSD_LEARNED_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"
#include "store.h"

/* So many instruments are remembered; the one whose newest run is the oldest gives way. */
#define LEARNED_FACTS 32
/* So many runs teach one of them; older ones are of another season. */
#define LEARNED_LESSONS 8

struct lesson {
	uint64_t run;
	int64_t utc_ms;
	struct run_taught taught;
	struct numbering numbering;
	double best_position; /* published by that numbering */
	double temperature_c;
};

struct learned_fact {
	int focuser, camera, binning;
	char focuser_name[64], camera_name[64], filter[64];
	double focal_length_mm, aperture_mm; /* as told; NAN */
	int count;                           /* of lessons; 0: the row is free */
	struct lesson lesson[LEARNED_LESSONS]; /* newest first */
	struct run_field field;              /* of the newest run that taught one, */
	uint64_t field_run;                  /* which is this one, */
	struct numbering field_numbering;    /* published by that numbering */
};

struct learned {
	struct learned_fact fact[LEARNED_FACTS];
};

/* Learns from a run; one that did not succeed, that moved nothing (a check), or that has no fit, teaches nothing.  A
 * run that was learned already takes its own place. */
void learned_add(struct learned *learned, const struct run *run);

/* What is known for a run like this one; false (out untouched) when nothing is. */
bool learned_get(const struct learned *learned, const struct run *like, struct store_history *out);

/* Forgets what runs of this focuser taught, up to this number. */
void learned_forget(struct learned *learned, int focuser, uint64_t upto);

/* Appends {"focuser": N, "learned": [...]}, as store_ask_learned() describes it. */
void learned_json(const struct learned *learned, int focuser, const struct numbering *today, struct buf *out);

#endif
