/* SPDX-License-Identifier: MIT */
/* One row for each shape of frame that a registered camera driver delivers. */
#include "rows.h"

#include <fitsio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../alpaca_upstream.h"
#include "../indi_upstream.h"
#include "../lone_host.h"

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

/* ---- alpaca: another server in this process, on the fake clock ---- */

static void offer(struct camera_setting *setting, int max_adu, int element, int sensor_type)
{
	setting->upstream = calloc(1, sizeof *setting->upstream);
	if (setting->upstream == NULL) {
		abort();
	}
	/* The clock that stands still but for the test, so that exposures take no time. */
	setting->host.camera.clock = setting->host.focuser.clock;
	setting->host.camera.urgent_fd = -1;
	*setting->upstream = (struct upstream){
		.clock = setting->host.camera.clock,
		.max_adu = max_adu,
		.element = element,
		.sensor_type = sensor_type,
		.planes = sensor_type == 1 ? 3 : 1,
	};
	upstream_start(setting->upstream);
	snprintf(setting->port.port, sizeof setting->port.port, "127.0.0.1:%d/0", setting->upstream->port);
}

/* Numbers of element types: Alpaca API reference, ImageBytes; 0 is text. */
static void offer_u16(struct camera_setting *setting)
{
	offer(setting, 65535, 8, 0);
}

static void offer_u8(struct camera_setting *setting)
{
	offer(setting, 255, 6, 2);
}

static void offer_i32(struct camera_setting *setting)
{
	offer(setting, 1000000, 0, 1);
}

static void offer_wrong_size(struct camera_setting *setting)
{
	atomic_store(&setting->upstream->spoilt, true);
}

static void stop_offering(struct camera_setting *setting)
{
	upstream_stop(setting->upstream);
	free(setting->upstream);
}

/* Port 1 (tcpmux) has no server on a machine of these days. */
static void nobody_there(struct camera_setting *setting)
{
	snprintf(setting->port.port, sizeof setting->port.port, "127.0.0.1:1/0");
}

/* ---- indi: an INDI server in this process, as fast as life ---- */

static void serve_indi(struct camera_setting *setting, int bits)
{
	setting->indi = calloc(1, sizeof *setting->indi);
	if (setting->indi == NULL) {
		abort();
	}
	setting->indi->bits = bits;
	indi_upstream_start(setting->indi);
	lone_host_fill(&setting->host.camera);
	snprintf(setting->port.port, sizeof setting->port.port, "tcp://127.0.0.1:%d", setting->indi->port);
}

static void serve_indi_u16(struct camera_setting *setting)
{
	serve_indi(setting, 16);
}

static void serve_indi_u8(struct camera_setting *setting)
{
	serve_indi(setting, 8);
}

static void cut_pictures(struct camera_setting *setting)
{
	atomic_store(&setting->indi->spoilt, true);
}

static void end_indi(struct camera_setting *setting)
{
	indi_upstream_stop(setting->indi);
	free(setting->indi);
}

static void no_indi_there(struct camera_setting *setting)
{
	snprintf(setting->port.port, sizeof setting->port.port, "tcp://127.0.0.1:1");
}

/* ---- folder: nothing is exposed; the bench asks by itself for what came ---- */

static void watch_folder(struct camera_setting *setting)
{
	record(setting, USHORT_IMG);
	lone_host_fill(&setting->host.camera);
}

const struct camera_row camera_rows[] = {
	{"simulator", "monochrome", IMAGE_U16, 1, simulate_mono, simulate_failures, NULL, NULL},
	{"simulator", "mosaic", IMAGE_U16, 1, simulate_bayer, simulate_failures, NULL, NULL},
	{"simulator", "three colours", IMAGE_U16, 3, simulate_rgb, simulate_failures, NULL, NULL},
	{"replay", "8 bits", IMAGE_U8, 1, record_u8, cut_files, NULL, lose_folder},
	{"replay", "16 bits", IMAGE_U16, 1, record_u16, cut_files, NULL, lose_folder},
	{"replay", "32 bits", IMAGE_I32, 1, record_i32, cut_files, NULL, lose_folder},
	{"replay", "float", IMAGE_F32, 1, record_f32, cut_files, NULL, lose_folder},
	{"replay", "double", IMAGE_F64, 1, record_f64, cut_files, NULL, lose_folder},
	{"exec", "16 bits", IMAGE_U16, 1, run_u16, cut_files, NULL, lose_program},
	{"exec", "float", IMAGE_F32, 1, run_f32, cut_files, NULL, lose_program},
	{"alpaca", "16 bits", IMAGE_U16, 1, offer_u16, offer_wrong_size, stop_offering, nobody_there},
	{"alpaca", "8 bits, mosaic", IMAGE_U8, 1, offer_u8, offer_wrong_size, stop_offering, nobody_there},
	{"alpaca", "32 bits, colours, as text", IMAGE_I32, 3, offer_i32, offer_wrong_size, stop_offering, nobody_there},
	{"indi", "16 bits", IMAGE_U16, 1, serve_indi_u16, cut_pictures, end_indi, no_indi_there},
	{"indi", "8 bits", IMAGE_U8, 1, serve_indi_u8, cut_pictures, end_indi, no_indi_there},
	{"folder", "watched", IMAGE_U16, 1, watch_folder, NULL, NULL, lose_folder},
	{NULL, NULL, IMAGE_U16, 0, NULL, NULL, NULL, NULL},
};
