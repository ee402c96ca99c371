/* SPDX-License-Identifier: MIT */
#include "sim_weather.h"

#include <math.h>

#include "sim_random.h"

enum { STREAM_FRAME = 6, STREAM_CLOUD = 9 };

/* The seeing scatters by this much from frame to frame at 3 s, and less in longer exposures, which average over it. Its
 * slow part scatters by its own amount and keeps this share from one frame to the next. */
static const double fast_seeing = 0.03;
static const double slow_seeing = 0.025;
static const double slow_memory = 0.9;
static const double pointing_px = 0.3;

/* Periods of the clouds' waves, s, and how long a cloud takes across the field. */
static const double wave_s[4] = {47.0, 113.0, 271.0, 641.0};
static const double crossing_s = 20.0;

double sim_transparency(const struct sim_settings *s, double seconds)
{
	if (s->cloud <= 0.0) {
		return 1.0;
	}
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_CLOUD);
	double sum = 0.0;
	for (int i = 0; i < 4; i++) {
		double phase = 2.0 * M_PI * sim_random_uniform(&random);
		sum += 0.25 * sin(2.0 * M_PI * seconds / wave_s[i] + phase);
	}
	/* The waves swing as far as the mean leaves room on both sides of it. */
	double swing = 0.8 * fmin(s->cloud, 1.0 - s->cloud);
	return fmin(1.0, fmax(0.0, 1.0 - s->cloud + swing * sum));
}

void sim_weather_average(const struct sim_settings *s, double seconds, double duration_s,
	struct sim_weather *out)
{
	double middle = 0.0;
	double across = 0.0;
	const int samples = 8;
	for (int i = 0; i < samples; i++) {
		double at = seconds + duration_s * (i + 0.5) / samples;
		middle += sim_transparency(s, at) / samples;
		across += (sim_transparency(s, at + 0.5 * crossing_s)
			- sim_transparency(s, at - 0.5 * crossing_s)) / samples;
	}
	out->transparency = middle;
	out->slope = middle > 0.0 ? across / middle : 0.0;
}

void sim_weather_draw(struct sim_sky *sky, const struct sim_settings *s, uint64_t number,
	double seconds, double duration_s, struct sim_weather *out)
{
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_FRAME + 16u * (number + 1));
	double fresh = sqrt(1.0 - slow_memory * slow_memory);
	double slow = slow_memory * sim_load(&sky->slow_seeing) + fresh * sim_normal_simple(&random);
	sim_store(&sky->slow_seeing, slow);
	/* The exposure averages over the air; a shorter one than 0.3 s sees one moment of it. */
	double fast = fast_seeing * sqrt(3.0 / fmax(duration_s, 0.3)) * sim_normal_simple(&random);
	out->seeing_arcsec = s->seeing_arcsec * exp(fast + slow_seeing * slow);
	out->shift_x_px = pointing_px * sim_normal_simple(&random) + sim_load(&sky->guided_x);
	out->shift_y_px = pointing_px * sim_normal_simple(&random) + sim_load(&sky->guided_y);
	sim_weather_average(s, seconds, duration_s, out);
}
