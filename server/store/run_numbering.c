/* SPDX-License-Identifier: MIT */
/* The positions of a run by the count of the motor, and as today's clients see them. */
#include <math.h>

#include "run.h"

typedef double (*count_fn)(const struct numbering *n, double position);

/* Everything in a run that is a place or has a side; widths (an uncertainty, a slope) are the same by every count. */
static void convert(struct run *run, count_fn count)
{
	const struct numbering n = run->numbering;
	run->start_position = count(&n, run->start_position);
	run->best_position = count(&n, run->best_position);
	run->final_position = count(&n, run->final_position);
	run->curve.x0 = count(&n, run->curve.x0);
	double low = count(&n, run->interval95_steps[0]);
	double high = count(&n, run->interval95_steps[1]);
	run->interval95_steps[0] = n.known && n.reversed ? high : low;
	run->interval95_steps[1] = n.known && n.reversed ? low : high;
	if (n.known && n.reversed) {
		/* The arm above the best position is the one below it by the other count. */
		run->taught.asymmetry = -run->taught.asymmetry;
		run->curve.e = 0 - run->curve.e;
	}
	if (run->field.known) {
		double best = count(&n, run->field.train.value[FIELD_BEST]);
		if (n.known && n.reversed) {
			field_mirror(&run->field.train, best);
		}
		run->field.train.value[FIELD_BEST] = best;
	}
	for (size_t i = 0; run->points != NULL && i < run->point_count; i++) {
		run->points[i].position = count(&n, run->points[i].position);
	}
}

void run_to_motor(struct run *run)
{
	convert(run, numbering_motor_part);
}

void run_to_published(struct run *run)
{
	convert(run, numbering_published_part);
}

void run_renumber(struct run *run, const struct numbering *today)
{
	run->numbers = RUN_NUMBERS_UNTOLD;
	if (!today->known) {
		return;
	}
	if (!run->numbering.known) {
		/* What 0.1.0 published were the motor's own numbers, unless reversed, which it did not note. */
		if (today->low != 0 && !today->reversed) {
			run->numbers = RUN_NUMBERS_OTHER;
		}
	} else if (!numbering_same_count(&run->numbering, today)) {
		run->numbers = RUN_NUMBERS_OTHER;
	} else {
		if (!numbering_equal(&run->numbering, today)) {
			run_to_motor(run);
			run->numbering = *today;
			run_to_published(run);
		}
		run->numbering = *today;
		run->numbers = RUN_NUMBERS_TODAY;
	}
}
