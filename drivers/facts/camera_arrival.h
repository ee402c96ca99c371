/* SPDX-License-Identifier: MIT */
/* A frame that a camera has without having been asked for it, because other software exposes. */
#ifndef FOCUSD_CAMERA_ARRIVAL_H
#define FOCUSD_CAMERA_ARRIVAL_H

#include <stdint.h>

#include "image.h"

struct camera_arrival {
	struct frame *frame; /* whole, with a reference for whoever has the arrival; NULL: the file was left out */
	char file[96];       /* name of the file, for people; cut to what fits */
	char why[240];       /* with frame NULL: why it was left out, a sentence without a full stop; else "" */
	/* Both on clock_real(), and perhaps before the server's start: when the file was noticed first, and a moment
	 * after which all of its light was collected. */
	int64_t seen_ms, begun_ms;
};

#endif
