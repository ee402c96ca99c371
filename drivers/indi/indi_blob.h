/* SPDX-License-Identifier: MIT */
/*
 * The connection on which an INDI server sends the pictures of one camera, and nothing else: it asks for that camera's
 * picture alone, and pictures are enabled only while one is waited for.  A thread reads it and decodes what comes, as
 * it comes, straight into the frame that core is going to publish.
 *
 * What is waited for is described beforehand; a picture that belongs to an earlier exposure, or to another client's, is
 * passed over.  All calls but those of the thread are the camera's worker's.
 */
#ifndef FOCUSD_INDI_BLOB_H
#define FOCUSD_INDI_BLOB_H

#include "driver_host.h"
#include "indi_fits.h"
#include "indi_line.h"
#include "indi_picture.h"

struct indi_blob;

/* The picture that is waited for. */
struct indi_wanted {
	double exposure_s;
	int64_t earliest_ms;      /* of the real clock: it cannot come before the light was collected */
	int64_t began_utc_ms;     /* by the clock of INDI's machine; 0 unknown */
	int32_t width, height;    /* px that the camera was told to deliver */
	struct indi_part part;    /* what of it is ours */
	/* Cameras whose pictures are files of their own deliver their whole sensor, whatever they were told: */
	int32_t whole_width, whole_height; /* px of that */
	int32_t whole_x, whole_y; /* where ours is in it */
	bool mosaic;              /* the pictures are known to have coloured cells */
};

enum indi_blob_state {
	INDI_BLOB_NONE,     /* nothing has come */
	INDI_BLOB_COMING,   /* it has begun */
	INDI_BLOB_WHOLE,    /* all of it is in the frame */
	INDI_BLOB_FAILED,   /* it came, and is of no use; or the connection broke */
};

/* What came. */
struct indi_blob_result {
	enum indi_blob_state state;
	struct err why;                /* of FAILED */
	/* The picture's elements are of another kind than was wanted; what it has is in these. */
	bool reshaped;
	enum image_type type;
	int32_t planes;
	int red;                       /* as in indi_fits_facts */
	double exposure_s;             /* by its own header; NAN */
	int32_t bits;                  /* of an element in the picture, 8 or 16 for whole numbers; 0 otherwise */
};

/* Connects, at most until deadline_ms of the real clock.  host is told of news by empty posts. */
enum err_code indi_blob_open(const char *address, const char *device, const char *property,
	const struct driver_host *host, int64_t deadline_ms, struct indi_blob **out, struct err *err);
void indi_blob_close(struct indi_blob *b);
/* Whether the connection stands. */
bool indi_blob_usable(struct indi_blob *b);

/* Begins to wait.  The frame may be lent later, before the pixels come or while they wait for it. */
enum err_code indi_blob_expect(struct indi_blob *b, const struct indi_wanted *wanted, struct err *err);
void indi_blob_lend(struct indi_blob *b, struct frame *frame);
/* The moment when it began by the clock of INDI's machine, once that is known. */
void indi_blob_began(struct indi_blob *b, int64_t began_utc_ms);
struct indi_blob_result indi_blob_look(struct indi_blob *b);
/* Ends the waiting; from its return on the frame is not touched. */
void indi_blob_forget(struct indi_blob *b);

#endif
