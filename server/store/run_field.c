/* SPDX-License-Identifier: MIT */
/* What a run has learned of the field as JSON, both ways. */
#include "run_field.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

static void write_value(struct json_writer *w, const char *name, const struct field_value *value, double um_per_step)
{
	char key[40];
	snprintf(key, sizeof key, "%s_um", name);
	json_key_double(w, key, value->value * um_per_step);
	snprintf(key, sizeof key, "%s_sigma_um", name);
	json_key_double(w, key, value->sigma * um_per_step);
	snprintf(key, sizeof key, "%s_steps", name);
	json_key_double(w, key, value->value);
}

static void write_list(struct json_writer *w, const char *key, const double *list, int count)
{
	json_key(w, key);
	json_array(w);
	for (int i = 0; i < count; i++) {
		json_double(w, list[i]);
	}
	json_end_array(w);
}

static void write_train(struct json_writer *w, const struct field_train *train)
{
	json_key(w, "train");
	json_object(w);
	json_key_int(w, "width", train->width);
	json_key_int(w, "height", train->height);
	json_key_double(w, "star_scatter", train->star_scatter);
	json_key_double(w, "extra_scatter", train->extra_scatter);
	write_list(w, "centre", train->centre, 3);
	write_list(w, "value", train->value, FIELD_PARAMETERS);
	json_key(w, "covariance");
	json_array(w);
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		for (int k = 0; k <= i; k++) {
			json_double(w, train->covariance[i][k]);
		}
	}
	json_end_array(w);
	json_end_object(w);
}

void run_field_write(struct json_writer *w, const struct run_field *field, bool with_train)
{
	if (!field->known) {
		json_null(w);
		return;
	}
	struct field_shape shape;
	field_shape(&field->train, &shape);
	json_object(w);
	write_value(w, "tilt_x", &shape.tilt_x, field->um_per_step);
	write_value(w, "tilt_y", &shape.tilt_y, field->um_per_step);
	write_value(w, "curvature", &shape.curvature, field->um_per_step);
	json_key_double(w, "best_middle", shape.best_middle.value);
	json_key_double(w, "best_whole", shape.best_whole.value);
	json_key_double(w, "um_per_step", field->um_per_step);
	json_key_int(w, "frames", field->train.frames);
	json_key_int(w, "stars", field->train.stars);
	if (with_train) {
		write_train(w, &field->train);
	}
	json_end_object(w);
}

void run_field_json(const struct run_field *field, bool with_train, struct buf *out)
{
	struct json_writer w;
	json_begin(&w, out);
	run_field_write(&w, field, with_train);
}

/* Reads one number of an object or an array: NAN when there is none. */
static double number(const struct json *value)
{
	double out = NAN;
	return value != NULL && json_as_double(value, &out) ? out : NAN;
}

static int whole(const struct json *object, const char *name)
{
	int32_t out = 0;
	const struct json *value = json_get(object, name);
	return value != NULL && json_as_i32(value, &out) ? out : 0;
}

static bool read_list(const struct json *object, const char *name, double *out, int count)
{
	const struct json *list = json_get(object, name);
	bool good = list != NULL;
	for (int i = 0; good && i < count; i++) {
		out[i] = number(json_element(list, i));
		good = isfinite(out[i]);
	}
	return good;
}

static bool read_train(const struct json *from, struct field_train *train)
{
	double triangle[FIELD_PARAMETERS * (FIELD_PARAMETERS + 1) / 2];
	train->width = whole(from, "width");
	train->height = whole(from, "height");
	train->star_scatter = number(json_get(from, "star_scatter"));
	train->extra_scatter = number(json_get(from, "extra_scatter"));
	if (train->width <= 0 || train->height <= 0 || !(train->star_scatter > 0) || !(train->extra_scatter > 0) ||
		!read_list(from, "centre", train->centre, 3) ||
		!read_list(from, "value", train->value, FIELD_PARAMETERS) ||
		!read_list(from, "covariance", triangle, (int)(sizeof triangle / sizeof triangle[0]))) {
		return false;
	}
	const double *next = triangle;
	bool good = true;
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		for (int k = 0; k <= i; k++) {
			train->covariance[i][k] = train->covariance[k][i] = *next++;
		}
		good = good && train->covariance[i][i] > 0;
	}
	return good;
}

enum err_code run_field_parse(struct span text, struct run_field *out, struct err *err)
{
	struct json *json = json_parse(text, err);
	if (json == NULL) {
		return ERR_INVALID_VALUE;
	}
	const struct json *field = json_get(json, "field");
	field = field != NULL ? field : json;
	const struct json *from = json_get(field, "train");
	struct run_field read = {.known = true, .um_per_step = number(json_get(field, "um_per_step")),
		.train = {.frames = whole(field, "frames"), .stars = whole(field, "stars")}};
	enum err_code code = ERR_OK;
	if (from == NULL) {
		code = err_set(err, ERR_INVALID_VALUE, "it holds no train: a run object has one as field.train, when "
			"its stars have taught the field");
	} else if (!read_train(from, &read.train)) {
		code = err_set(err, ERR_INVALID_VALUE, "the numbers of its train are not complete");
	} else {
		*out = read;
	}
	json_free(json);
	return code;
}
