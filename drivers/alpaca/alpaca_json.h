/* SPDX-License-Identifier: MIT */
/*
 * Pictures of another Alpaca server that sends them as text (Alpaca API Reference, chapter 8: the JSON form of
 * ImageArray), straight into a frame while they come, in whatever pieces.  The text of a large frame has hundreds of
 * megabytes, so it is never kept: only what stands around the pixels is.  Pure but for the frame; one thread.
 */
#ifndef FOCUSD_ALPACA_JSON_H
#define FOCUSD_ALPACA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alpaca_bytes.h"
#include "err.h"
#include "text.h"

#define ALPACA_JSON_TYPE "application/json"
/* What stands around the pixels is at most so long, bytes; a longer answer is ERR_PROTOCOL. */
#define ALPACA_JSON_ENVELOPE 65536
/* Numbers that are gathered before they go into the frame. */
#define ALPACA_JSON_BLOCK 512

struct alpaca_json {
	struct alpaca_bytes *pixels; /* borrowed; counts what is in the frame */
	struct buf envelope;         /* the answer without its pixels, which read [] there */
	/* Where in the envelope the next byte stands. */
	bool in_string, escaped;
	int depth;                   /* of the objects and arrays around it */
	char key[8];                 /* the last string of the outermost object, as far as it has room */
	size_t key_len;
	bool is_value;               /* the colon behind "Value" was the last that came */
	/* Where in the array of the pixels. */
	int level;                   /* 0: outside, 1: between columns, 2: in a column, 3: in the colours of a pixel */
	int rank;                    /* 2 or 3; 0 before the first number */
	int32_t count[4];            /* elements of each open level so far */
	bool begun;                  /* there was such an array */
	bool wants_comma;            /* an element has ended, and a comma or the end of its array comes next */
	bool after_comma;            /* an element has to follow */
	char number[40];             /* the digits of the number that is coming in */
	size_t number_len;
	double block[ALPACA_JSON_BLOCK];
	size_t block_len;
};

/* Begins a picture of exactly the size and planes that the frame of `pixels` says; alpaca_bytes_begin() was called for
 * it.  Ended by alpaca_json_fini(). */
void alpaca_json_begin(struct alpaca_json *j, struct alpaca_bytes *pixels);
void alpaca_json_fini(struct alpaca_json *j);

/* Takes the next bytes.  ERR_PROTOCOL with a sentence for what is no picture, or one of another size; nothing more is
 * to be taken then. */
enum err_code alpaca_json_take(struct alpaca_json *j, const void *data, size_t size, struct err *err);

/* All has come, and the envelope was found to be no error: ERR_PROTOCOL when something is missing. */
enum err_code alpaca_json_end(const struct alpaca_json *j, struct err *err);

#endif
