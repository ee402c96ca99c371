/* SPDX-License-Identifier: MIT */
/*
 * Frames of runs that are kept: STATE/frames/run-NNNNNN/NNN.fits, plain FITS with the words that other programs look
 * for, so that each of them can check a run.  The folders of the oldest runs give way to new ones.  The calls wait for
 * the disk, for as long as it takes to write a frame: only a thread that nobody waits for may make them.
 */
#ifndef FOCUSD_FRAME_FILES_H
#define FOCUSD_FRAME_FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "image.h"

/* All kept frames together are no larger than this, bytes, the newest run's at most excepted. */
#define FRAME_FILES_QUOTA (4LL << 30)
/* So much of the disk stays free for everything else, bytes. */
#define FRAME_FILES_SPARE (512LL << 20)

/* What is known beside the frame; NAN, 0 or "" where unknown. */
struct frame_note {
	uint64_t run;
	int number;                /* of the frame in the run, from 1 */
	double position_steps, step_size_um, focuser_c;
	double focal_length_mm, pixel_um /* unbinned */, sensor_c;
	bool has_gain, has_offset;
	int gain, offset;
	const char *focuser, *camera, *filter; /* names; not NULL */
	const char *pattern;       /* of a colour mosaic from the first pixel on, "RGGB"; not NULL */
	int pattern_x, pattern_y;  /* its offset */
};

/* Writes one frame.
 * Words: FOCALLEN, XPIXSZ and YPIXSZ (times binning), XBINNING, YBINNING, FILTER, EXPTIME and EXPOSURE, DATE-OBS (UTC,
 * start), FOCNAME, FOCPOS and FOCUSPOS, FOCUSSZ, FOCTEMP and FOCUSTEM, GAIN, OFFSET, CCD-TEMP, INSTRUME, ROWORDER
 * (TOP-DOWN), BAYERPAT with XBAYROFF and YBAYROFF, and RUN; those that are unknown are left out.  16-bit elements are
 * unsigned by BZERO (FITS standard 4.0, section 4.4.2.5).
 * quota is FRAME_FILES_QUOTA, or less in tests.  cancel ends the call early.
 * ERR_OK; ERR_CANCELLED; ERR_IO with a sentence: no room within quota and spare, or the disk's reason.  A file is there
 * whole or not at all. */
enum err_code frame_files_keep(const char *state_dir, const struct frame *frame, const struct frame_note *note,
	int64_t quota, const _Atomic bool *cancel, struct err *err);

#endif
