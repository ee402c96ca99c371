/* SPDX-License-Identifier: MIT */
/* One row for each shape of frame that a registered camera driver delivers. */
#include "rows.h"

#include <fitsio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- simulator: a small sensor, so that many frames take little time ---- */

static void simulate(struct camera_setting *setting, enum simulator_colour colour)
{
	setting->host.simulator.width = 180;
	setting->host.simulator.height = 122;
	setting->host.simulator.stars = 20;
	setting->host.simulator.colour = (int)colour;
}

static void simulate_mono(struct camera_setting *setting)
{
	simulate(setting, SIMULATOR_MONO);
}

static void simulate_bayer(struct camera_setting *setting)
{
	simulate(setting, SIMULATOR_BAYER);
}

static void simulate_rgb(struct camera_setting *setting)
{
	simulate(setting, SIMULATOR_RGB);
}

static void simulate_failures(struct camera_setting *setting)
{
	setting->host.simulator.fail_every = 1;
}

/* ---- replay: a folder of files, written here by the library ---- */

enum { WIDE = 62, HIGH = 41 };

static void record(struct camera_setting *setting, int bitpix)
{
	snprintf(setting->port.path, sizeof setting->port.path, "%s", setting->folder);
	for (int k = 0; k < 2; k++) {
		char path[128];
		snprintf(path, sizeof path, "%s/x_%d_1s.fits", setting->folder, 100 * k);
		fitsfile *file;
		int status = 0;
		long axes[2] = {WIDE, HIGH};
		double data[WIDE * HIGH];
		for (int i = 0; i < WIDE * HIGH; i++) {
			data[i] = k + i % 251;
		}
		fits_create_file(&file, path, &status);
		fits_create_img(file, bitpix, 2, axes, &status);
		fits_write_img(file, TDOUBLE, 1, WIDE * HIGH, data, &status);
		fits_close_file(file, &status);
		if (status != 0) {
			fprintf(stderr, "cannot write %s\n", path);
			abort();
		}
	}
}

static void record_u8(struct camera_setting *setting)
{
	record(setting, BYTE_IMG);
}

static void record_u16(struct camera_setting *setting)
{
	record(setting, USHORT_IMG);
}

static void record_i32(struct camera_setting *setting)
{
	record(setting, LONG_IMG);
}

static void record_f32(struct camera_setting *setting)
{
	record(setting, FLOAT_IMG);
}

static void record_f64(struct camera_setting *setting)
{
	record(setting, DOUBLE_IMG);
}

/* What is left of a file on a disk that was full: its header. */
static void cut_files(struct camera_setting *setting)
{
	for (int k = 0; k < 2; k++) {
		char path[128];
		snprintf(path, sizeof path, "%s/x_%d_1s.fits", setting->folder, 100 * k);
		if (truncate(path, 2880) != 0) {
			abort();
		}
	}
}

static void lose_folder(struct camera_setting *setting)
{
	snprintf(setting->port.path, sizeof setting->port.path, "%s/nowhere", setting->folder);
}

/* ---- exec: a command that copies one of these files ---- */

static void run_command(struct camera_setting *setting, int bitpix)
{
	record(setting, bitpix);
	setting->port.path[0] = '\0';
	snprintf(setting->port.command, sizeof setting->port.command, "/bin/cp '%s/x_0_1s.fits' {out}.fits",
		setting->folder);
}

static void run_u16(struct camera_setting *setting)
{
	run_command(setting, USHORT_IMG);
}

static void run_f32(struct camera_setting *setting)
{
	run_command(setting, FLOAT_IMG);
}

static void lose_program(struct camera_setting *setting)
{
	snprintf(setting->port.command, sizeof setting->port.command, "%s/no-such-program {out}", setting->folder);
}

const struct camera_row camera_rows[] = {
	{"simulator", "monochrome", IMAGE_U16, 1, simulate_mono, simulate_failures, NULL},
	{"simulator", "mosaic", IMAGE_U16, 1, simulate_bayer, simulate_failures, NULL},
	{"simulator", "three colours", IMAGE_U16, 3, simulate_rgb, simulate_failures, NULL},
	{"replay", "8 bits", IMAGE_U8, 1, record_u8, cut_files, lose_folder},
	{"replay", "16 bits", IMAGE_U16, 1, record_u16, cut_files, lose_folder},
	{"replay", "32 bits", IMAGE_I32, 1, record_i32, cut_files, lose_folder},
	{"replay", "float", IMAGE_F32, 1, record_f32, cut_files, lose_folder},
	{"replay", "double", IMAGE_F64, 1, record_f64, cut_files, lose_folder},
	{"exec", "16 bits", IMAGE_U16, 1, run_u16, cut_files, lose_program},
	{"exec", "float", IMAGE_F32, 1, run_f32, cut_files, lose_program},
	{NULL, NULL, IMAGE_U16, 0, NULL, NULL, NULL},
};
