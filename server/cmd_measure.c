/* SPDX-License-Identifier: MIT */
/* `focusd measure`: finds and measures the stars of FITS frames and prints one row for each frame. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fits_frame.h"
#include "measure.h"
#include "measurement_json.h"
#include "progress.h"
#include "run.h"
#include "text.h"

enum { MOST_LISTED = 3000 };
/* The most bytes of a file with a train: a run object of the most samples has some 40 KiB. */
#define TRAIN_TEXT_MAX (1 << 20)

static const char help[] =
	"Usage: focusd measure [--json] [--stars] [--train FILE] FRAME...\n"
	"Find and measure the stars of frames: one row a frame.  They are FITS (plain, .gz, .fz),\n"
	"grey PGM, or raw files of cameras such as DNG and CR2.\n"
	"\n"
	"  --json    one JSON object a line instead of a table\n"
	"  --stars   list every star that was used as well\n"
	"  --train FILE  say how far from focus each frame is, by the field that a run has\n"
	"            learned: FILE is that run as JSON, from AutofocusStatus or /focusd/v1/runs/ID\n"
	"  --help    this text\n"
	"\n"
	"HFR is the half-flux radius in pixels of the frame: the radius that holds half of\n"
	"a star's light.  The mean radius is what N.I.N.A. calls HFR.  A frame without stars\n"
	"has 0 stars and no sizes.  Exit code: 0 all frames were read, 1 one was not, 2 usage.\n";

struct options {
	bool json;
	bool stars;
	bool trained;
	struct run_field train;
};

static void print_json(const char *path, const struct fits_frame *frame,
	const struct measurement *m, const struct measurement_focus *focus, const struct star *list, size_t listed,
	bool stars, int64_t elapsed_ms)
{
	struct buf buf;
	buf_init(&buf, 8 << 20);
	measurement_json(m, path, frame->width, frame->height, (double)elapsed_ms, focus,
		stars ? list : NULL, listed, &buf);
	puts(buf_text(&buf));
	buf_fini(&buf);
}

/* Prints a number for a column of the table, or a dash. */
static const char *cell(char out[16], double value, int decimals)
{
	if (isfinite(value)) {
		snprintf(out, 16, "%.*f", decimals, value);
	} else {
		snprintf(out, 16, "-");
	}
	return out;
}

static void print_head(void)
{
	printf("%5s %7s %6s %7s %7s %5s %8s %7s %5s  %-7s %s\n", "stars", "hfr_px", "+-", "mean_px",
		"fwhm_px", "ecc", "sky_adu", "noise", "ms", "", "file");
}

static void print_row(const char *path, int32_t bin, const struct measurement *m, int64_t elapsed_ms)
{
	char c[7][16];
	char note[40];
	snprintf(note, sizeof note, "%s%s%s", m->donut ? "donuts" : "", m->donut && m->trailed ? ", " : "",
		m->trailed ? "trailed" : "");
	if (bin > 1) {
		/* The sizes are in these larger pixels. */
		snprintf(note + strlen(note), sizeof note - strlen(note), "%sbinned %d", note[0] != '\0' ? ", " : "",
			(int)bin);
	}
	printf("%5d %7s %6s %7s %7s %5s %8s %7s %5" PRId64 "  %-7s %s\n", m->stars,
		cell(c[0], m->hfr_px, 3), cell(c[1], m->hfr_error_px, 3),
		cell(c[2], m->mean_radius_px, 3), cell(c[3], m->fwhm_px, 3),
		cell(c[4], m->eccentricity, 2), cell(c[5], m->background_adu, 1),
		cell(c[6], m->noise_adu, 2), elapsed_ms, note, path);
}

static void print_stars(const struct star *list, size_t listed)
{
	for (size_t i = 0; i < listed; i++) {
		char c[2][16];
		printf("       x %8.2f  y %8.2f  hfr %7s  fwhm %7s  snr %8.1f  flux %.0f\n", list[i].x,
			list[i].y, cell(c[0], list[i].hfr_px, 3), cell(c[1], list[i].fwhm_px, 3),
			list[i].snr, list[i].flux_adu);
	}
}

/* Prints what a frame says of the focus error, below its row. */
static void print_focus(const struct measurement_focus *focus)
{
	const struct field_sense *sense = &focus->sense;
	char c[4][16];
	if (sense->tells) {
		printf("       focus error %s +- %s steps", cell(c[0], sense->error, 1), cell(c[1], sense->sigma, 1));
		if (isfinite(focus->um_per_step)) {
			printf(" (%s +- %s um)", cell(c[2], sense->error * focus->um_per_step, 1),
				cell(c[3], sense->sigma * focus->um_per_step, 1));
		}
		printf(", side certain to %.1f %%\n", 100 * sense->sign_probability);
	} else if (isfinite(sense->distance)) {
		printf("       focus is %s +- %s steps away; which side: %s\n", cell(c[0], sense->distance, 1),
			cell(c[1], sense->distance_sigma, 1), sense->why);
	} else {
		printf("       focus error: %s\n", sense->why);
	}
}

/* Reads a whole file, which may be a pipe. */
static enum err_code read_text(const char *path, struct buf *text, struct err *err)
{
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return err_set(err, ERR_IO, "%s", strerror(errno));
	}
	char piece[4096];
	size_t got;
	while (!text->failed && (got = fread(piece, 1, sizeof piece, file)) > 0) {
		buf_add(text, piece, got);
	}
	bool read = ferror(file) == 0;
	fclose(file);
	return !read ? err_set(err, ERR_IO, "it cannot be read")
		: text->failed ? err_set(err, ERR_INVALID_VALUE, "it is too large for a run object") : ERR_OK;
}

/* Reads the train of a run object in a file. */
static bool read_train(const char *path, struct options *options)
{
	struct err err = {0};
	struct buf text;
	buf_init(&text, TRAIN_TEXT_MAX);
	enum err_code code = read_text(path, &text, &err);
	if (code == ERR_OK) {
		code = run_field_parse(span_of(buf_text(&text)), &options->train, &err);
	}
	buf_fini(&text);
	if (code != ERR_OK) {
		fprintf(stderr, "focusd: %s: %s\n", path, err.text);
	}
	options->trained = code == ERR_OK;
	return options->trained;
}

static int measure_file(const char *path, const struct options *options, struct star *list)
{
	struct err err = {0};
	struct fits_frame frame;
	enum err_code status = fits_frame_read(path, &frame, &err);
	if (status != ERR_OK) {
		progress_clear();
		fprintf(stderr, "focusd: %s\n", err.text);
		return 1;
	}
	struct image img = fits_frame_image(&frame);
	struct measure_options how = measure_defaults();
	struct measurement m;
	size_t listed = 0;
	int64_t start_ms = clock_now_ms(clock_real());
	status = measure_frame(&img, &how, list, MOST_LISTED, &listed, &m, &err);
	int64_t elapsed_ms = clock_now_ms(clock_real()) - start_ms;
	progress_clear();
	struct measurement_focus focus = {.um_per_step = options->train.um_per_step};
	if (status == ERR_OK && options->trained) {
		field_sense(&options->train.train, list, listed, frame.width, frame.height, &focus.sense);
	}
	if (status != ERR_OK) {
		fprintf(stderr, "focusd: %s: %s\n", path, err.text);
	} else if (options->json) {
		print_json(path, &frame, &m, options->trained ? &focus : NULL, list, listed, options->stars,
			elapsed_ms);
	} else {
		print_row(path, frame.bin, &m, elapsed_ms);
		if (options->trained) {
			print_focus(&focus);
		}
		if (options->stars) {
			print_stars(list, listed);
		}
	}
	fits_frame_free(&frame);
	return status == ERR_OK ? 0 : 1;
}

int cmd_measure(int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"stars", no_argument, NULL, 's'},
		{"train", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {0};
	int c;
	optind = 0; /* another subcommand may have parsed options before */
	while ((c = getopt_long(argc, argv, "jst:h", known, NULL)) != -1) {
		switch (c) {
		case 'j':
			options.json = true;
			break;
		case 's':
			options.stars = true;
			break;
		case 't':
			if (!read_train(optarg, &options)) {
				return 1;
			}
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs("focusd measure: see focusd measure --help\n", stderr);
			return 2;
		}
	}
	if (optind >= argc) {
		fputs("focusd measure: no frame named; see focusd measure --help\n", stderr);
		return 2;
	}
	struct star *list = malloc(MOST_LISTED * sizeof *list);
	if (list == NULL) {
		fputs("focusd: out of memory\n", stderr);
		return 1;
	}
	if (!options.json) {
		print_head();
	}
	int status = 0;
	for (int i = optind; i < argc; i++) {
		progress_show(i - optind, argc - optind, argv[i]);
		if (measure_file(argv[i], &options, list) != 0) {
			status = 1;
		}
	}
	progress_clear();
	free(list);
	return status;
}
