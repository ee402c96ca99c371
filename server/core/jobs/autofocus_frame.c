/* SPDX-License-Identifier: MIT */
/* Makes one exposure of a run or a measurement and measures its stars. */
#include "autofocus_private.h"

#include <string.h>

#include "match.h"

/* A frame that failed to arrive is exposed once more before the run fails. */
#define EXPOSE_TRIES 2

enum err_code autofocus_expose(struct autofocus *af, uint64_t lease, double exposure_s, int bin,
	int gain, double focuser_position, struct seen *out, struct err *err)
{
	struct frame *frame = NULL;
	enum err_code code = ERR_OK;
	bool watches = camera_watches(af->camera);
	if (watches) {
		code = camera_run_await(af->camera, lease, &af->await, &af->jobs.cancel, &frame, err);
	}
	for (int i = 0; !watches && i < EXPOSE_TRIES; i++) {
		code = camera_run_expose(af->camera, lease, exposure_s, bin, gain, focuser_position,
			&af->jobs.cancel, &frame, err);
		if (code == ERR_OK || code == ERR_CANCELLED || code == ERR_IO || code == ERR_NOT_CONNECTED) {
			break;
		}
		log_warn(af->camera->info.source, "frame of a run failed, exposing again: %s",
			err != NULL ? err->text : "");
	}
	if (code != ERR_OK) {
		return code;
	}
	if (frame->info.planes > 1) {
		/* Of the three colours, the green one shows most stars. */
		struct frame *green = frame_plane(frame, 1);
		frame_unref(frame);
		if (green == NULL) {
			return err_set(err, ERR_NOMEM, "no memory to measure the frame");
		}
		frame = green;
	}
	struct image view = frame_image(frame);
	struct measure_options options = measure_defaults();
	options.region = af->config->autofocus.region;
	enum err_code status = measure_frame(&view, &options, af->stars, AUTOFOCUS_MAX_STARS, &out->listed,
		&out->measurement, err);
	out->info = frame->info;
	frame_unref(frame);
	/* The caller here is not to blame for a view that is too small: the camera delivered it. */
	return status == ERR_INVALID_VALUE ? err_set(err, ERR_CAMERA, "the frame is too small to measure")
		: status;
}

double autofocus_flux_ratio(struct autofocus *af, const struct seen *seen)
{
	if (seen->measurement.stars == 0 || !(seen->info.exposure_s > 0)) {
		return NAN;
	}
	if (af->reference_count == 0) {
		memcpy(af->reference, af->stars, seen->listed * sizeof af->stars[0]);
		af->reference_count = seen->listed;
		af->reference_exposure_s = seen->info.exposure_s;
		return 1.0;
	}
	double radius = 3.0 * seen->measurement.hfr_px;
	struct match_result match;
	match_stars(af->reference, af->reference_count, af->stars, seen->listed,
		radius < 5.0 ? 5.0 : radius, 100.0, &match);
	return match.flux_ratio * af->reference_exposure_s / seen->info.exposure_s;
}
