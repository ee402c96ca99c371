/* SPDX-License-Identifier: MIT */
/* `focusd fit`: makes a V-curve of frames that carry a focuser position. */
#include "cmd.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curve.h"
#include "fit_odd.h"
#include "fit_plot.h"
#include "fits_frame.h"
#include "json.h"
#include "measure.h"
#include "progress.h"
#include "text.h"

static const char help[] =
	"Usage: focusd fit [--json] [--plot] FRAME...\n"
	"Fit a focus curve to frames and say where best focus is.  They are FITS (plain, .gz,\n"
	".fz), grey PGM, or raw files of cameras such as DNG and CR2.\n"
	"\n"
	"  --json    one JSON object instead of a table\n"
	"  --plot    draw the curve also when the output is not a terminal\n"
	"  --help    this text\n"
	"\n"
	"Each frame needs a focuser position: a name that ends in position and exposure\n"
	"(c8_7350_3s.fits.gz), or FOCUSPOS or FOCPOS in its header; where both are there and\n"
	"differ, the name stands.  Numbers in names that merely count, are always the same or\n"
	"lie nowhere near the headers' are no positions.  Sizes are half-flux radii in pixels of the frame.\n"
	"Exit code: 0 a curve was fitted (accepted or not), 1 no frame could be used, 2 usage.\n";

/* A frame that was read, at the same index as its point. */
struct sample {
	const char *file;
	bool trailed;
	struct fits_position claims;
	struct fit_scale scale;
};

/* Reads and measures one frame. False, with a sentence on standard error, when the frame cannot be used. */
static bool add_frame(const char *path, struct curve_point *point, struct sample *sample)
{
	struct err err = {0};
	struct fits_frame frame;
	if (fits_frame_read(path, &frame, &err) != ERR_OK) {
		progress_clear();
		fprintf(stderr, "focusd: %s\n", err.text);
		return false;
	}
	struct image img = fits_frame_image(&frame);
	struct measure_options how = measure_defaults();
	struct measurement m;
	size_t listed = 0;
	enum err_code status = measure_frame(&img, &how, NULL, 0, &listed, &m, &err);
	if (status == ERR_OK) {
		bool usable = m.stars > 0 && !m.trailed;
		*point = (struct curve_point){.hfr_px = usable ? m.hfr_px : NAN,
			.error_px = usable ? m.hfr_error_px : 0,
			.duration_s = frame.exposure_s > 0 ? frame.exposure_s : 0,
			.stars = usable ? m.stars : 0};
		*sample = (struct sample){.file = path, .trailed = m.trailed,
			.claims = frame.position,
			.scale = {.width = frame.width, .height = frame.height, .bin = frame.bin}};
	} else {
		progress_clear();
		fprintf(stderr, "focusd: %s: %s\n", path, err.text);
	}
	fits_frame_free(&frame);
	return status == ERR_OK;
}

/* Gives each measured frame its position by the rule for the list as a whole, and says what is odd; the frames
 * without one are left out. Returns how many are left. */
static size_t settle_positions(struct curve_point *points, struct sample *samples, size_t n)
{
	static struct fits_position claims[CURVE_MAX_POINTS];
	for (size_t i = 0; i < n; i++) {
		claims[i] = samples[i].claims;
	}
	enum fits_names names;
	struct err err = {0};
	if (fits_names_judge(claims, n, &names, &err) != ERR_OK) {
		fprintf(stderr, "focusd: %s\n", err.text);
		return 0;
	}
	if (names != FITS_NAMES_STAND) {
		fprintf(stderr, "focusd: %s\n", fits_names_reason(names));
	}
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		double position;
		if (!fits_position_choose(&claims[i], names, &position)) {
			fprintf(stderr, "focusd: %s carries no focuser position: neither its name nor FOCUSPOS or "
				"FOCPOS in its header; it is left out\n", samples[i].file);
			continue;
		}
		if (names == FITS_NAMES_STAND && fits_position_differs(&claims[i])) {
			fprintf(stderr, "focusd: %s: the name says position %.10g, the header %.10g; the name is "
				"taken\n", samples[i].file, claims[i].name_steps, claims[i].header_steps);
		}
		points[kept] = points[i];
		points[kept].position = position;
		samples[kept++] = samples[i];
	}
	return kept;
}

/* Leaves out the frames whose position cannot be, and says so. Returns how many are left. */
static size_t drop_odd_positions(struct curve_point *points, struct sample *samples, size_t n)
{
	static double steps[CURVE_MAX_POINTS];
	static bool odd[CURVE_MAX_POINTS];
	for (size_t i = 0; i < n; i++) {
		steps[i] = points[i].position;
	}
	fit_odd_positions(steps, n, odd);
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (odd[i]) {
			fprintf(stderr, "focusd: %s: position %.10g cannot be, so far from all the others; it is "
				"left out\n", samples[i].file, steps[i]);
			continue;
		}
		points[kept] = points[i];
		samples[kept++] = samples[i];
	}
	return kept;
}

/* Fits the curve; when the frames do not compare, *fit says so and nothing else. */
static enum err_code fit_samples(struct curve_point *points, const struct sample *samples, size_t n,
	struct curve_result *fit, struct err *err)
{
	static struct fit_scale scales[CURVE_MAX_POINTS];
	for (size_t i = 0; i < n; i++) {
		scales[i] = samples[i].scale;
	}
	char why[sizeof fit->reason];
	if (fit_same_scale(scales, n, why, sizeof why)) {
		return curve_fit(points, n, 0, fit, err);
	}
	enum err_code code = curve_fit(points, 0, 0, fit, err);
	snprintf(fit->reason, sizeof fit->reason, "%s", why);
	return code;
}

static void print_json(const struct curve_result *fit, const struct curve_point *points,
	const struct sample *samples, size_t n)
{
	struct buf buf;
	buf_init(&buf, 4 << 20);
	struct json_writer w = {0};
	json_begin(&w, &buf);
	json_object(&w);
	json_key_double(&w, "best_position", fit->best_position);
	json_key_double(&w, "uncertainty_steps", fit->uncertainty_steps);
	json_key(&w, "interval95_steps");
	if (isfinite(fit->interval95_steps[0]) && isfinite(fit->interval95_steps[1])) {
		json_array(&w);
		json_double(&w, fit->interval95_steps[0]);
		json_double(&w, fit->interval95_steps[1]);
		json_end_array(&w);
	} else {
		json_null(&w);
	}
	json_key_double(&w, "hfr_min_px", fit->hfr_min_px);
	json_key_double(&w, "slope_px_per_step", fit->slope_px_per_step);
	json_key_double(&w, "r_squared", fit->r_squared);
	json_key_double(&w, "chi2_dof", fit->chi2_dof);
	json_key_double(&w, "seeing_scatter", fit->seeing_scatter);
	json_key_string(&w, "model",
		isfinite(fit->best_position) ? curve_model_name(fit->model) : NULL);
	json_key_bool(&w, "accepted", fit->accepted);
	if (!fit->accepted) {
		json_key_string(&w, "reason", fit->reason);
	}
	json_key(&w, "points");
	json_array(&w);
	for (size_t i = 0; i < n; i++) {
		json_object(&w);
		json_key_double(&w, "position", points[i].position);
		json_key_double(&w, "hfr_px", points[i].hfr_px);
		json_key_double(&w, "error_px", points[i].stars > 0 ? points[i].error_px : NAN);
		json_key_int(&w, "stars", points[i].stars);
		json_key_bool(&w, "used", points[i].used);
		if (!points[i].used) {
			json_key_string(&w, "why", samples[i].trailed ? "trailed"
				: points[i].why == CURVE_USED ? "not fitted"
				: curve_why_name(points[i].why));
		}
		json_key_string(&w, "file", samples[i].file);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	puts(buf_text(&buf));
	buf_fini(&buf);
}

/* Prints a number for a column of the table, or a dash. */
static const char *cell(char out[24], double value, int decimals)
{
	if (isfinite(value)) {
		snprintf(out, 24, "%.*f", decimals, value);
	} else {
		snprintf(out, 24, "-");
	}
	return out;
}

static void print_table(const struct curve_result *fit, const struct curve_point *points,
	const struct sample *samples, size_t n)
{
	bool curve = isfinite(fit->best_position);
	printf("%10s %8s %7s %8s %5s  %-18s %s\n", "position", "hfr_px", "+-", "curve_px", "stars", "",
		"file");
	for (size_t i = 0; i < n; i++) {
		const struct curve_point *p = &points[i];
		char c[4][24];
		printf("%10s %8s %7s %8s %5d  %-18s %s\n", cell(c[0], p->position, 0),
			cell(c[1], p->hfr_px, 3), cell(c[2], p->stars > 0 ? p->error_px : NAN, 3),
			cell(c[3], curve ? curve_at(fit, p->position, NULL) : NAN, 3), p->stars,
			samples[i].trailed ? "trailed" : curve_why_name(p->why), samples[i].file);
	}
	if (curve) {
		char c[7][24];
		printf("\nbest position %s +- %s steps, 95 %% interval %s to %s\n",
			cell(c[0], fit->best_position, 1), cell(c[1], fit->uncertainty_steps, 1),
			cell(c[2], fit->interval95_steps[0], 1), cell(c[3], fit->interval95_steps[1], 1));
		printf("%s, %d frames used, least HFR %s px, slope %s px/step, R2 %s, chi2/dof %s, "
			"seeing scatter %.0f %%\n", curve_model_name(fit->model), fit->points_used,
			cell(c[4], fit->hfr_min_px, 3), cell(c[5], fit->slope_px_per_step, 5),
			cell(c[6], fit->r_squared, 4), cell(c[0], fit->chi2_dof, 2),
			100 * fit->seeing_scatter);
	}
	if (fit->accepted) {
		printf("accepted\n");
	} else {
		printf("not accepted: %s\n", fit->reason);
	}
}

/* Sorts frames by position; the sort is stable so that repeated positions keep their order. */
static void sort_by_position(struct curve_point *points, struct sample *samples, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct curve_point point = points[i];
		struct sample sample = samples[i];
		size_t j = i;
		while (j > 0 && points[j - 1].position > point.position) {
			points[j] = points[j - 1];
			samples[j] = samples[j - 1];
			j--;
		}
		points[j] = point;
		samples[j] = sample;
	}
}

static void print_plot(const struct curve_result *fit, const struct curve_point *points, size_t n)
{
	struct buf buf;
	buf_init(&buf, 1 << 16);
	buf_putc(&buf, '\n');
	fit_plot(fit, points, n, progress_columns(), &buf);
	fputs(buf_text(&buf), stdout);
	buf_fini(&buf);
}

struct options {
	bool json, plot;
};

/* The exit code when the program ends here, or -1 to go on with the frames from optind. */
static int parse_options(int argc, char **argv, struct options *out)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"plot", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;
	*out = (struct options){.plot = isatty(STDOUT_FILENO) == 1};
	optind = 0;
	while ((option = getopt_long(argc, argv, "jph", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			out->json = true;
			break;
		case 'p':
			out->plot = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fprintf(stderr, "focusd: see focusd fit --help\n");
			return 2;
		}
	}
	return -1;
}

int cmd_fit(int argc, char **argv)
{
	struct options options;
	int over = parse_options(argc, argv, &options);
	if (over >= 0) {
		return over;
	}
	if (optind >= argc) {
		fprintf(stderr, "focusd: fit needs frames; see focusd fit --help\n");
		return 2;
	}
	if (argc - optind > CURVE_MAX_POINTS) {
		fprintf(stderr, "focusd: fit takes at most %d frames\n", CURVE_MAX_POINTS);
		return 2;
	}
	static struct curve_point points[CURVE_MAX_POINTS];
	static struct sample samples[CURVE_MAX_POINTS];
	size_t n = 0;
	for (int i = optind; i < argc; i++) {
		progress_show(i - optind, argc - optind, argv[i]);
		n += add_frame(argv[i], &points[n], &samples[n]);
	}
	progress_clear();
	n = settle_positions(points, samples, n);
	n = drop_odd_positions(points, samples, n);
	if (n == 0) {
		fprintf(stderr, "focusd: none of the frames can be used\n");
		return 1;
	}
	sort_by_position(points, samples, n);
	struct curve_result fit;
	struct err err = {0};
	if (fit_samples(points, samples, n, &fit, &err) != ERR_OK) {
		fprintf(stderr, "focusd: %s\n", err.text);
		return 1;
	}
	if (options.json) {
		print_json(&fit, points, samples, n);
		return 0;
	}
	print_table(&fit, points, samples, n);
	if (options.plot) {
		print_plot(&fit, points, n);
	}
	return 0;
}
