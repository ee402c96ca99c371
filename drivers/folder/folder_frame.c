/* SPDX-License-Identifier: MIT */
#include "folder_frame.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fits_frame.h"
#include "frame_levels.h"
#include "text.h"

/* No exposure lasts longer; a header that says so is wrong. */
#define LONGEST_S 86400.0

int64_t folder_frame_begun(int64_t seen_ms, int64_t seen_utc_ms, double exposure_s, int64_t start_utc_ms,
	int64_t last_seen_ms)
{
	if (!(exposure_s >= 0.0 && exposure_s <= LONGEST_S)) {
		return last_seen_ms < seen_ms ? last_seen_ms : seen_ms;
	}
	int64_t latest_ms = seen_ms - (int64_t)(exposure_s * 1000.0);
	int64_t latest_utc_ms = seen_utc_ms - (int64_t)(exposure_s * 1000.0);
	bool agrees = start_utc_ms > latest_utc_ms - FOLDER_CLOCKS_AGREE_MS && start_utc_ms <= latest_utc_ms;
	return agrees ? latest_ms - (latest_utc_ms - start_utc_ms) : latest_ms - FOLDER_READ_OUT_MS;
}

static const char *name_of(const struct folder_file *file)
{
	const char *slash = strrchr(file->path, '/');
	return slash != NULL ? slash + 1 : file->path;
}

/* What a frame is, as its header tells it. */
static struct frame_info info_of(const struct fits_frame *fits, const char *name)
{
	/* Nobody is given these pixels but the measuring and the preview, so that numbers of 32 bits may lose some. */
	bool whole = fits->type == IMAGE_U8 || fits->type == IMAGE_U16;
	struct frame_info info = {
		.width = fits->width,
		.height = fits->height,
		.planes = 1,
		.bin = fits->bin,
		.type = whole ? fits->type : IMAGE_F32,
		.mosaic = fits->mosaic,
		.full_scale_adu = fits->full_scale_adu,
		.exposure_s = fits->exposure_s,
		.start_utc_ms = fits->start_utc_ms,
		.position_known = fits->position.in_header,
		.position_steps = fits->position.header_steps,
	};
	text_copy_clean(info.label, sizeof info.label, name);
	return info;
}

static enum err_code fill(struct folder_reader *reader, const struct fits_frame *fits, const char *name,
	struct frame **out, struct err *err)
{
	struct frame_info info = info_of(fits, name);
	struct frame_levels levels = {.known = false};
	if (info.type == IMAGE_U16) {
		/* Numbers with a sign are shifted, and so is where they saturate. */
		frame_levels_fit(&levels, fits->pixels, (size_t)fits->width * (size_t)fits->height);
		info.full_scale_adu = fmin(info.full_scale_adu - levels.zero, UINT16_MAX);
	}
	struct frame *frame = frame_pool_take(reader->pool, &info);
	if (frame == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the frame %.100s", name);
	}
	enum err_code code = frame_levels_into(&levels, fits, 1, 0, 0, reader->quit, frame, err);
	if (code == ERR_OK && atomic_load(reader->quit)) {
		code = err_set(err, ERR_CANCELLED, "reading %.100s was given up", name);
	}
	if (code != ERR_OK) {
		frame_unref(frame);
		return code;
	}
	*out = frame;
	return ERR_OK;
}

enum err_code folder_frame_read(struct folder_reader *reader, const struct folder_file *file,
	struct camera_arrival *out, struct err *err)
{
	struct fits_frame fits = {.pixels = NULL};
	enum err_code code = fits_frame_read_unless(file->path, false, reader->give_up, &fits, err);
	if (code != ERR_OK) {
		return code;
	}
	const char *name = name_of(file);
	*out = (struct camera_arrival){.seen_ms = file->seen_ms};
	text_copy_clean(out->file, sizeof out->file, name);
	int64_t seen_utc_ms = clock_utc_ms() - (clock_now_ms(clock_real()) - file->seen_ms);
	out->begun_ms = folder_frame_begun(file->seen_ms, seen_utc_ms, fits.exposure_s, fits.start_utc_ms,
		reader->last_seen_ms);
	if (fits.calibration) {
		snprintf(out->why, sizeof out->why, "its header calls it a calibration frame");
	} else {
		/* A frame has to begin at some time, for people; it came when it was over. */
		fits.start_utc_ms = fits.start_utc_ms > 0 ? fits.start_utc_ms : seen_utc_ms;
		code = fill(reader, &fits, name, &out->frame, err);
	}
	reader->last_seen_ms = file->seen_ms;
	fits_frame_free(&fits);
	return code;
}
