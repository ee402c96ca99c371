/* SPDX-License-Identifier: MIT */
/* The pictures that a camera keeps: the clients' last one, the page's, and a run's until the run fetches it.  picture.c
 * alone writes them, but that a run takes its frame.  The device's lock guards all of it. */
#ifndef FOCUSD_PICTURE_H
#define FOCUSD_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

struct picture {
	struct frame *frame;      /* the clients' picture */
	bool ready;               /* frame is of the clients' last exposure */
	uint64_t started_version; /* the device's version when the clients' last exposure was accepted */
	bool has_last;
	double last_duration_s;
	int64_t last_start_utc_ms;
	struct frame *run_frame;  /* of a run's exposure; it waits to be fetched */
	struct frame *preview;    /* the newest of all */
	uint64_t preview_serial;
};

/* A client's exposure was accepted at this version of the device: the picture goes, since a client that asks from this
 * moment on must not get the old one. */
void picture_begin(struct picture *p, uint64_t version);
/* As of a camera that was just opened; the page keeps its picture. */
void picture_reset(struct picture *p);
/* A client's exposure gave this frame, whose reference is taken over. */
void picture_publish(struct picture *p, struct frame *frame, double duration_s, int64_t start_utc_ms);
/* A run's exposure gave this frame, whose reference is taken over. */
void picture_keep_for_run(struct picture *p, struct frame *frame);
/* This frame came by itself; the page shows it. */
void picture_show(struct picture *p, struct frame *frame);
/* Lets go of all frames. */
void picture_free(struct picture *p);

#endif
