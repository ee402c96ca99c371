/* SPDX-License-Identifier: MIT */
/*
 * What a codec's scanner answers when it looks at received bytes.  A scanner is a pure function: it
 * keeps nothing, so a test needs only an array.
 */
#ifndef FOCUSD_SCAN_H
#define FOCUSD_SCAN_H

#include <stddef.h>

#include "text.h"

enum scan {
	SCAN_MORE,    /* the beginning of a frame, or nothing: read on */
	SCAN_FRAME,   /* *frame is a whole frame, terminator included; *skip bytes are used up */
	SCAN_GARBAGE, /* no frame begins here; drop *skip (> 0) bytes and look again */
};

/* Looks at the n bytes received so far.  frame borrows from in. */
typedef enum scan (*scan_fn)(const char *in, size_t n, struct span *frame, size_t *skip);

#endif
