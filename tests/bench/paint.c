/* SPDX-License-Identifier: MIT */
/* How long the simulated camera paints a frame of 62 Mpx exposed for one second: paint mono|bayer|rgb. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "driver_host.h"
#include "sim_paint.h"
#include "sim_sky.h"

#define FRAMES 7

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {
		[SIMULATOR_MONO] = "mono", [SIMULATOR_BAYER] = "bayer", [SIMULATOR_RGB] = "rgb"};
	int colour = -1;
	for (int i = 0; argc == 2 && i < 3; i++) {
		colour = strcmp(argv[1], kinds[i]) == 0 ? i : colour;
	}
	if (colour < 0) {
		fprintf(stderr, "usage: paint mono|bayer|rgb\n");
		return 2;
	}
	struct simulator_config config = {.best_position = NAN, .seeing_arcsec = NAN, .temperature_c = NAN,
		.drift_um_per_c = NAN, .speed_steps_per_s = NAN, .stars = -1, .width = 9576, .height = 6388,
		.obstruction = NAN, .hot_pixels = -1, .colour = colour};
	struct optics_config optics = {.focal_length_mm = NAN, .aperture_mm = NAN, .wavelength_um = 0.55};
	struct driver_host host = {.seed = 1, .simulator = &config, .optics = &optics,
		.pixel_size_um = NAN, .step_size_um = NAN};
	struct sim_settings settings;
	sim_settings_init(&settings, &host, 0);
	struct sim_field field;
	static struct sim_seeing seeing;
	static struct sim_ziggurat ziggurat;
	struct frame_pool *pool = frame_pool_create();
	if (sim_field_init(&field, &settings) != 0 || pool == NULL) {
		return 1;
	}
	sim_seeing_init(&seeing);
	sim_ziggurat_init(&ziggurat);
	struct frame_info info = {.width = settings.width, .height = settings.height,
		.planes = colour == SIMULATOR_RGB ? 3 : 1, .bin = 1};
	struct sim_paint_job job = {
		.scene = {.field = &field, .seeing = &seeing, .light = true,
			.fwhm_px = sim_star_fwhm_um(&settings, 2.5) / settings.pixel_um,
			.blur_px_per_um = settings.aperture_mm / settings.focal_length_mm / settings.pixel_um,
			.obstruction = settings.obstruction, .focus = {{0.0, 1.0}}, .focus_count = 1,
			.light_s = 1.0, .dark_s = 1.0, .faint_peak_e = 0.05},
		.sensor = {.read_noise_e = 1.9, .full_well_e = 54000.0, .electrons_per_adu = 0.25,
			.bias_adu = 500.0, .max_adu = 65535},
		.ziggurat = &ziggurat,
		.bin = 1,
	};
	double first = NAN;
	double least = INFINITY;
	double cpu = NAN;
	for (int i = 0; i < FRAMES; i++) {
		double wall = seconds(CLOCK_MONOTONIC);
		double used = seconds(CLOCK_PROCESS_CPUTIME_ID);
		job.frame = frame_pool_take(pool, &info);
		job.noise_seed = (uint64_t)i;
		struct sim_paint *paint = job.frame != NULL ? sim_paint_begin(&job) : NULL;
		while (paint != NULL && !sim_paint_wait(paint, 1000)) {
		}
		if (paint == NULL || sim_paint_scene(paint) == NULL) {
			return 1;
		}
		sim_paint_end(paint);
		frame_unref(job.frame);
		wall = seconds(CLOCK_MONOTONIC) - wall;
		used = seconds(CLOCK_PROCESS_CPUTIME_ID) - used;
		first = i == 0 ? wall : first;
		cpu = wall < least ? used : cpu;
		least = fmin(least, wall);
	}
	printf("{\"first_s\": %.3f, \"best_s\": %.3f, \"cpu_s\": %.3f}\n", first, least, cpu);
	sim_field_fini(&field);
	frame_pool_release(pool);
	return 0;
}
