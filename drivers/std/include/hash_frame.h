/* SPDX-License-Identifier: MIT */
/*
 * Answers that end with '#', as the languages that descend from Meade's have them.  Pure.
 */
#ifndef FOCUSD_HASH_FRAME_H
#define FOCUSD_HASH_FRAME_H

#include <stdbool.h>

#include "scan.h"

/* Whether a byte may stand in a frame before its '#'. */
typedef bool (*hash_frame_allows)(char c);

/* A scanner's work (scan.h) for frames of at most `longest` bytes and their '#'.  Blanks, CR, LF and stray
 * ':' and '#' before a frame are dropped.  When a byte is there that is not allowed, or more than the longest
 * frame has, everything up to the next '#' or line end is: half an answer is worse than none. */
enum scan hash_frame_scan(const char *in, size_t n, hash_frame_allows allows, size_t longest,
	struct span *frame, size_t *skip);

/* CR or LF. */
bool hash_frame_line_end(char c);

#endif
