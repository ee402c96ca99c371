/* SPDX-License-Identifier: MIT */
/* Makes one exposure of a run or a measurement and measures its stars. */
#include "autofocus_private.h"

#include <string.h>

#include "focuser.h"
#include "frame_files.h"
#include "match.h"

/* A frame that failed to arrive is exposed once more before the run fails. */
#define EXPOSE_TRIES 2
/* The sensor type of a colour mosaic that begins with red (camera_caps.h). */
#define SENSOR_RGGB 2

/* Writes a frame of a run to the disk where the settings say so.  A disk that takes none costs the run nothing but the
 * frames. */
static void keep_frame(struct autofocus *af, uint64_t run, const struct frame *frame, int gain, double position)
{
	if (!af->config->autofocus.save_frames || af->keep_no_more) {
		return;
	}
	struct camera_state camera;
	struct focuser_state focuser;
	camera_state(af->camera, &camera);
	focuser_state(af->focuser, &focuser);
	struct frame_note note = {
		.run = run,
		.number = af->frames_kept + 1,
		.position_steps = frame->info.position_known ? frame->info.position_steps : position,
		.step_size_um = focuser.step_size_um,
		.focuser_c = NAN,
		.focal_length_mm = autofocus_optics(af, af->camera->info.number, &camera.caps)->focal_length_mm,
		.pixel_um = camera.caps.pixel_um,
		.sensor_c = camera.sensor_c,
		.has_gain = camera.caps.has_gain,
		.has_offset = camera.caps.has_offset,
		.gain = gain >= 0 ? gain : camera.setup.gain,
		.offset = camera.setup.offset,
		.focuser = af->focuser->info.name,
		.camera = af->camera->info.name,
		.filter = autofocus_filter(af),
		.pattern = camera.caps.sensor_type == SENSOR_RGGB ? "RGGB" : "",
		.pattern_x = camera.caps.bayer_offset_x,
		.pattern_y = camera.caps.bayer_offset_y,
	};
	focuser_temperature(af->focuser, &note.focuser_c, NULL);
	struct err err = {.code = ERR_OK};
	if (frame_files_keep(af->needs.state_dir, frame, &note, FRAME_FILES_QUOTA, &af->jobs.cancel, &err) == ERR_OK) {
		af->frames_kept++;
	} else if (err.code != ERR_CANCELLED) {
		af->keep_no_more = true;
		log_warn(af->camera->info.source, "run=%llu: %s; no more of its frames are kept",
			(unsigned long long)run, err.text);
	}
}

enum err_code autofocus_take_frame(struct autofocus *af, uint64_t lease, double exposure_s, int bin, int gain,
	double focuser_position, struct seen *out, struct frame **frame, struct err *err)
{
	enum err_code code = ERR_OK;
	int64_t begin_ms = clock_now_ms(clock_real());
	bool watches = camera_watches(af->camera);
	if (watches) {
		code = camera_run_await(af->camera, lease, &af->await, &af->jobs.cancel, frame, err);
	}
	for (int i = 0; !watches && i < EXPOSE_TRIES; i++) {
		code = camera_run_expose(af->camera, lease, exposure_s, bin, gain, focuser_position,
			&af->jobs.cancel, frame, err);
		if (code == ERR_OK || code == ERR_CANCELLED || code == ERR_IO || code == ERR_NOT_CONNECTED) {
			break;
		}
		log_warn(af->camera->info.source, "frame of a run failed, exposing again: %s",
			err != NULL ? err->text : "");
	}
	out->exposed_ms = clock_now_ms(clock_real()) - begin_ms;
	if (code == ERR_OK && lease != MEASURE_LEASE) {
		keep_frame(af, lease, *frame, gain, focuser_position);
	}
	return code;
}

enum err_code autofocus_look(struct autofocus *af, struct frame *frame, struct seen *out, struct err *err)
{
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

enum err_code autofocus_expose(struct autofocus *af, uint64_t lease, double exposure_s, int bin,
	int gain, double focuser_position, struct seen *out, struct err *err)
{
	struct frame *frame = NULL;
	enum err_code code =
		autofocus_take_frame(af, lease, exposure_s, bin, gain, focuser_position, out, &frame, err);
	return code == ERR_OK ? autofocus_look(af, frame, out, err) : code;
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
