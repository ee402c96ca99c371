/* SPDX-License-Identifier: MIT */
/* `focusd measure`: finds and measures the stars of FITS frames and prints one row for each frame. */
#include "cmd.h"

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
#include "text.h"

enum { MOST_LISTED = 3000 };

static const char help[] =
	"Usage: focusd measure [--json] [--stars] FRAME...\n"
	"Find and measure the stars of frames: one row a frame.  They are FITS (plain, .gz, .fz),\n"
	"grey PGM, or raw files of cameras such as DNG and CR2.\n"
	"\n"
	"  --json    one JSON object a line instead of a table\n"
	"  --stars   list every star that was used as well\n"
	"  --help    this text\n"
	"\n"
	"HFR is the half-flux radius in pixels of the frame: the radius that holds half of\n"
	"a star's light.  The mean radius is what N.I.N.A. calls HFR.  A frame without stars\n"
	"has 0 stars and no sizes.  Exit code: 0 all frames were read, 1 one was not, 2 usage.\n";

struct options {
	bool json;
	bool stars;
};

static void print_json(const char *path, const struct fits_frame *frame,
	const struct measurement *m, const struct star *list, size_t listed, bool stars,
	int64_t elapsed_ms)
{
	struct buf buf;
	buf_init(&buf, 8 << 20);
	measurement_json(m, path, frame->width, frame->height, (double)elapsed_ms,
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
	if (status != ERR_OK) {
		fprintf(stderr, "focusd: %s: %s\n", path, err.text);
	} else if (options->json) {
		print_json(path, &frame, &m, list, listed, options->stars, elapsed_ms);
	} else {
		print_row(path, frame.bin, &m, elapsed_ms);
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
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {0};
	int c;
	optind = 0; /* another subcommand may have parsed options before */
	while ((c = getopt_long(argc, argv, "jsh", known, NULL)) != -1) {
		switch (c) {
		case 'j':
			options.json = true;
			break;
		case 's':
			options.stars = true;
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
