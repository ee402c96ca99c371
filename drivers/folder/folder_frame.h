/* SPDX-License-Identifier: MIT */
/* Reads a file that has come into a frame to be measured. */
#ifndef FOCUSD_FOLDER_FRAME_H
#define FOCUSD_FOLDER_FRAME_H

#include <stdatomic.h>
#include <stdint.h>

#include "camera_arrival.h"
#include "err.h"
#include "folder_tree.h"

/* What frames are made of and compared with. */
struct folder_reader {
	struct frame_pool *pool;
	const char *source;      /* name for log lines */
	int give_up;             /* an eventfd, readable when reading is to be given up */
	const atomic_bool *quit; /* true at the same time */
	int64_t last_seen_ms;    /* of the frame before; INT64_MIN: there was none */
};

/* Reads the file and fills *out: with a frame, or with why it is left out: its header calls it a calibration frame.
 * ERR_IO with a sentence when it is damaged, incomplete, or of a format that is not read; ERR_NOMEM; ERR_CANCELLED when
 * it was given up.  *out holds nothing then. */
enum err_code folder_frame_read(struct folder_reader *reader, const struct folder_file *file,
	struct camera_arrival *out, struct err *err);

/* After which moment all the light of a frame was collected, ms on the clock of seen_ms, when its file was noticed at
 * seen_ms and at seen_utc_ms.  exposure_s: NAN unknown; start_utc_ms: what its header says, 0 unknown.
 *
 * A file comes at the end of its exposure and of the read-out, which lasts some seconds.  The header's start counts
 * where it agrees with that within FOLDER_CLOCKS_AGREE_MS; a clock that is further off is wrong.  Without it, the
 * read-out is taken for FOLDER_READ_OUT_MS.  Without an exposure time, the moment is when the frame before came,
 * last_seen_ms. */
int64_t folder_frame_begun(int64_t seen_ms, int64_t seen_utc_ms, double exposure_s, int64_t start_utc_ms,
	int64_t last_seen_ms);

/* Choice: reading out and writing 62 Mpx over USB 3 and a network takes five seconds. */
#define FOLDER_READ_OUT_MS 5000
/* Beyond this the clock of whoever wrote the header is wrong. */
#define FOLDER_CLOCKS_AGREE_MS 120000

#endif
