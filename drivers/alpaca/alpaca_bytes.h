/* SPDX-License-Identifier: MIT */
/*
 * Pictures of another Alpaca server in the ImageBytes form (Alpaca API Reference, chapter 8), straight into a frame
 * while they come, in whatever pieces.  Pure but for the frame; one thread.
 */
#ifndef FOCUSD_ALPACA_BYTES_H
#define FOCUSD_ALPACA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image.h"

#define ALPACA_BYTES_TYPE "application/imagebytes"
/* Bytes of the header, version 1. */
#define ALPACA_BYTES_HEADER 44

/* Elements on the wire, as ImageBytes numbers them. */
enum alpaca_element {
	ALPACA_INT16 = 1, ALPACA_INT32, ALPACA_DOUBLE, ALPACA_SINGLE, ALPACA_UINT64, ALPACA_BYTE, ALPACA_INT64,
	ALPACA_UINT16, ALPACA_UINT32,
};

struct alpaca_bytes {
	struct frame *frame;       /* lent; of type IMAGE_U8, IMAGE_U16 or IMAGE_I32 */
	unsigned char head[ALPACA_BYTES_HEADER];
	size_t got;                /* bytes of the whole answer so far */
	size_t start;              /* where the pixels begin */
	int element;               /* enum alpaca_element */
	size_t size;               /* bytes of one on the wire */
	size_t done;               /* elements that are in the frame */
	unsigned char rest[8];     /* of an element that was cut by the end of a piece */
	size_t rest_len;
	int32_t error_number;      /* of an answer that is no picture */
	char words[160];           /* and what it says */
	size_t words_len;
	uint64_t cut;              /* elements outside of what the frame's type holds, which took the nearest value */
};

/* Begins a picture of exactly the size and planes that frame->info says. */
void alpaca_bytes_begin(struct alpaca_bytes *b, struct frame *frame);

/* Takes the next size > 0 bytes.  ERR_PROTOCOL with a sentence for what is no ImageBytes, or a picture of another size;
 * nothing more is to be taken then. */
enum err_code alpaca_bytes_take(struct alpaca_bytes *b, const void *data, size_t size, struct err *err);

/* Puts count elements of this type (enum alpaca_element), which come next in Alpaca's order and have room in the frame;
 * for pictures that come in another form. */
void alpaca_bytes_put(struct alpaca_bytes *b, int element, const void *elements, size_t count);

/* All has come.  ERR_PROTOCOL when something is missing; an error of the other server's as alpaca_answer_read(). */
enum err_code alpaca_bytes_end(const struct alpaca_bytes *b, struct err *err);

#endif
