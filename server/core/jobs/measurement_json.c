/* SPDX-License-Identifier: MIT */
#include "measurement_json.h"

#include <math.h>

#include "json.h"

static const struct {
	unsigned flag;
	const char *word;
} flag_words[] = {
	{STAR_SATURATED, "saturated"}, {STAR_EDGE, "edge"}, {STAR_CROWDED, "crowded"},
	{STAR_ELONGATED, "elongated"}, {STAR_SIZE, "size"}, {STAR_SHAPE, "shape"},
	{STAR_FAINT, "faint"},
};

static void star_json(struct json_writer *w, const struct star *star)
{
	json_object(w);
	json_key_double(w, "x", star->x);
	json_key_double(w, "y", star->y);
	json_key_double(w, "flux", star->flux_adu);
	json_key_double(w, "hfr_px", star->hfr_px);
	json_key_double(w, "fwhm_px", star->fwhm_px);
	json_key_double(w, "snr", star->snr);
	json_key(w, "flags");
	json_array(w);
	for (size_t i = 0; i < sizeof flag_words / sizeof flag_words[0]; i++) {
		if ((star->flags & flag_words[i].flag) != 0) {
			json_string(w, flag_words[i].word);
		}
	}
	json_end_array(w);
	json_end_object(w);
}

static void focus_json(struct json_writer *w, const struct measurement_focus *focus)
{
	const struct field_sense *sense = &focus->sense;
	double error = sense->tells ? sense->error : (double)NAN;
	json_key_double(w, "focus_error_um", error * focus->um_per_step);
	json_key_double(w, "focus_error_sigma_um", sense->sigma * focus->um_per_step);
	json_key_double(w, "focus_error_steps", error);
	json_key_double(w, "focus_distance_steps", sense->distance);
	json_key_double(w, "sign_probability", sense->sign_probability);
	json_key_string(w, "focus_note", sense->tells ? NULL : sense->why);
}

void measurement_json(const struct measurement *m, const char *file, int32_t width, int32_t height,
	double elapsed_ms, const struct measurement_focus *focus, const struct star *list, size_t count,
	struct buf *out)
{
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_string(&w, "file", file);
	json_key_int(&w, "width", width);
	json_key_int(&w, "height", height);
	json_key_int(&w, "stars", m->stars);
	json_key_double(&w, "hfr_px", m->hfr_px);
	json_key_double(&w, "hfr_mad_px", m->hfr_mad_px);
	json_key_double(&w, "hfr_error_px", m->hfr_error_px);
	json_key_double(&w, "fwhm_px", m->fwhm_px);
	json_key_double(&w, "mean_radius_px", m->mean_radius_px);
	json_key_double(&w, "eccentricity", m->eccentricity);
	json_key_double(&w, "background_adu", m->background_adu);
	json_key_double(&w, "noise_adu", m->noise_adu);
	json_key_int(&w, "saturated", m->saturated);
	json_key_bool(&w, "donut", m->donut);
	json_key_bool(&w, "trailed", m->trailed);
	json_key_double(&w, "elapsed_ms", elapsed_ms);
	if (focus != NULL) {
		focus_json(&w, focus);
	}
	if (list != NULL) {
		json_key(&w, "list");
		json_array(&w);
		for (size_t i = 0; i < count; i++) {
			star_json(&w, &list[i]);
		}
		json_end_array(&w);
	}
	json_end_object(&w);
}
