/* SPDX-License-Identifier: MIT */
/* One run: the plan wishes, the mechanics follow as well as they can, and the sky answers. */
#include "bank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/focus/sky.h"
#include "seeing.h"

/* Noise of a size besides seeing: a floor, and that of one star in focus.  Estimate: autofocus practice, 0.3 to 2 %
 * in a frame. */
#define PHOTON_FLOOR 0.004
#define PHOTON_STAR 0.01
/* So do stars fade with their size and with the light, as a power: counts follow log N of 0.3 to 0.4 a magnitude. */
#define FADING 0.7
/* Blur in units of the FWHM up to which stars are clipped, and the share by which a clipped star reads large. */
#define CLIPPED_BLUR 1.5
#define CLIPPED_GROWTH 0.05
/* Ratio of the sizes of two frames beyond which confused frames compare other stars. */
#define CONFUSED_RATIO 3
/* Blur from which the hole of an obstructed pupil is seen. */
#define RING_BLUR 4
#define RING_OBSTRUCTION 0.2
/* Where no star is: the size of peaks of the noise, px, and its scatter. */
#define NOISE_HFR 0.9
#define NOISE_SCATTER 0.06

struct world {
	const struct bank_truth *t;
	uint64_t seed;
	int32_t motor;
	double untaken;        /* of the backlash, 0..backlash */
	double slipped;        /* what the optics are behind, steps */
	double reference;      /* light of the frame that the others are compared with; 0 until there is one */
	double reference_hfr;
	int frames;
};

static double optics_of(const struct world *w)
{
	bool out = w->t->rules.approach == MOVES_APPROACH_OUT;
	return w->motor - w->untaken + (out ? w->t->backlash : 0) - w->slipped;
}

static double focus_of(const struct world *w)
{
	return w->t->focus + w->t->drift * (w->frames > 0 ? w->frames - 1 : 0);
}

static void drive(struct world *w, int32_t target)
{
	struct moves_plan legs;
	moves_make(&w->t->rules, w->motor, 0, target, &legs);
	for (int i = 0; i < legs.count; i++) {
		double before = w->untaken, way = legs.point[i] - w->motor;
		w->untaken = fmax(0, fmin(w->t->backlash, w->untaken + way));
		double rest = way - (w->untaken - before);
		/* The optics lose some of what they should follow, on average one slip, never more than the way. */
		double lost = fmin(fabs(rest), w->t->slip * 2 * sky_uniform(&w->seed));
		w->slipped += rest < 0 ? -lost : lost;
		w->motor = legs.point[i];
	}
	if (w->frames == w->t->jump_frame) {
		w->slipped += w->t->jump;
	}
}

/* Spoils what a clear sky showed; light is the share of the stars' light that came through. */
static void spoil(struct world *w, double u, double h, struct af_observation *seen, double *light)
{
	const struct bank_truth *t = w->t;
	bool now = w->frames >= t->spoil_from && w->frames < t->spoil_to;
	double near = 1 - fabs(u) / CLIPPED_BLUR;
	switch (t->cell->spoil) {
	case BANK_GUST:
		seen->hfr_px *= now ? t->spoil_by : 1;
		break;
	case BANK_CLIPPED:
		if (near > 0) {
			*light *= 1 - (1 - t->spoil_by) * near;
			seen->hfr_px *= 1 + CLIPPED_GROWTH * near;
		}
		break;
	case BANK_CONFUSED:
		if (w->reference_hfr > 0 && (h > CONFUSED_RATIO * w->reference_hfr ||
			w->reference_hfr > CONFUSED_RATIO * h)) {
			*light *= exp(log(0.002) + log(0.35 / 0.002) * sky_uniform(&w->seed));
		}
		break;
	case BANK_NOISE:
		seen->hfr_px = NOISE_HFR * (1 + NOISE_SCATTER * sky_normal(&w->seed));
		seen->error_px = NOISE_SCATTER * NOISE_HFR;
		seen->stars = 3;
		seen->rings = false;
		break;
	case BANK_DARK:
		seen->stars = 0;
		break;
	case BANK_CLEAR:
	case BANK_CLOUD:
	case BANK_STUCK:
		break;
	}
}

static void look(struct world *w, const struct af_wish *wish, struct af_observation *seen)
{
	const struct bank_truth *t = w->t;
	double x = t->cell->spoil == BANK_STUCK ? t->setup.start_position : optics_of(w);
	double u = (x - t->focus - t->drift * w->frames) / t->steps_per_u;
	u *= u > 0 ? t->uneven : 1;
	double seeing = exp(t->scatter * sky_normal(&w->seed)), noise = sky_normal(&w->seed);
	double h = t->width_px * seeing * seeing_g(u / seeing, t->obstruction);
	bool cloud = t->cell->spoil == BANK_CLOUD && w->frames >= t->spoil_from && w->frames < t->spoil_to;
	double light = cloud ? t->spoil_by : 1;
	double growth = h / (t->width_px * seeing_g(0, t->obstruction));
	double stars = t->stars * pow(light * wish->exposure_factor / growth, FADING) + sky_uniform(&w->seed);
	double e_p = hypot(PHOTON_FLOOR, PHOTON_STAR * growth / sqrt(fmax(1, stars) * light * wish->exposure_factor));
	*seen = (struct af_observation){.position = w->motor, .stars = (int)stars, .hfr_px = h * (1 + e_p * noise),
		.error_px = e_p * h, .duration_s = t->duration_s * wish->exposure_factor,
		.rings = fabs(u) > RING_BLUR && t->obstruction > RING_OBSTRUCTION};
	spoil(w, u, h, seen, &light);
	if (seen->stars < 1) {
		*seen = (struct af_observation){.position = w->motor, .hfr_px = NAN, .error_px = NAN,
			.flux_ratio = NAN, .duration_s = seen->duration_s};
	} else if (!(w->reference > 0)) {
		w->reference = light;
		w->reference_hfr = h;
		seen->flux_ratio = 1;
	} else {
		seen->flux_ratio = light / w->reference;
	}
	w->frames++;
}

static bool keeps_rules(const struct bank_truth *t, int32_t position)
{
	const struct af_plan_setup *s = &t->setup;
	return position >= s->min_step && position <= s->max_step && (!(s->max_radius_steps > 0) ||
		fabs(position - s->start_position) <= s->max_radius_steps);
}

static void judge(const struct bank_plan *plan, const void *state, const struct world *w, struct bank_outcome *out)
{
	const struct af_wish *wish = plan->wish(state);
	const struct bank_truth *t = w->t;
	struct bank_answer answer;
	plan->answer(state, &answer);
	out->end = wish->want;
	out->code = wish->code;
	memcpy(out->reason, wish->reason, sizeof out->reason);
	out->broke_rules = out->broke_rules || (wish->want != AF_WANT_SUCCESS && wish->want != AF_WANT_FAILURE);
	double off = optics_of(w) - focus_of(w);
	double best = w->motor - off;
	out->error = fabs(off) / t->zone;
	out->covered = answer.interval95_steps[0] <= best && best <= answer.interval95_steps[1];
	out->width = (answer.interval95_steps[1] - answer.interval95_steps[0]) / 2 / t->zone;
}

void bank_run(const struct bank_plan *plan, const struct bank_truth *truth, FILE *trace, struct bank_outcome *out)
{
	struct world w = {.t = truth, .seed = truth->seed, .untaken = truth->untaken,
		.motor = (int32_t)truth->setup.start_position};
	void *state = calloc(1, plan->size);
	if (state == NULL) {
		abort();
	}
	*out = (struct bank_outcome){.end = AF_WANT_FAILURE};
	plan->init(state, &truth->setup);
	const struct af_wish *wish = plan->wish(state);
	while ((wish->want == AF_WANT_SAMPLE || wish->want == AF_WANT_FINAL) &&
		out->exposures < BANK_MOST_EXPOSURES) {
		out->broke_rules = out->broke_rules || !keeps_rules(truth, wish->position) ||
			!keeps_rules(truth, wish->via);
		if (wish->via != wish->position) {
			drive(&w, wish->via);
		}
		drive(&w, wish->position);
		struct af_observation seen;
		look(&w, wish, &seen);
		out->exposures++;
		if (trace != NULL) {
			fprintf(trace, "%3d %-6s %6d via %+6d optics %+8.3f Z hfr %7.3f +- %.3f stars %3d light %.2f\n",
				out->exposures, wish->want == AF_WANT_FINAL ? "final" : "sample", wish->position,
				wish->via - wish->position, (optics_of(&w) - focus_of(&w)) / truth->zone, seen.hfr_px,
				seen.error_px, seen.stars, seen.flux_ratio);
		}
		plan->tell(state, &seen);
		wish = plan->wish(state);
	}
	judge(plan, state, &w, out);
	free(state);
}
