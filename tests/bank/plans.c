/* SPDX-License-Identifier: MIT */
/* The plans that the bank knows. */
#include "bank.h"

#include <math.h>

static void present_init(void *state, const struct af_plan_setup *setup)
{
	af_plan_init(state, setup);
}

static void present_tell(void *state, const struct af_observation *seen)
{
	af_plan_tell(state, seen);
}

static const struct af_wish *present_wish(const void *state)
{
	const struct af_plan *plan = state;
	return &plan->wish;
}

static void present_answer(const void *state, struct bank_answer *out)
{
	const struct af_plan *plan = state;
	*out = (struct bank_answer){.interval95_steps = {NAN, NAN}, .seeing_scatter = NAN};
	if (plan->have_fit) {
		out->interval95_steps[0] = plan->fit.interval95_steps[0];
		out->interval95_steps[1] = plan->fit.interval95_steps[1];
		out->seeing_scatter = plan->fit.seeing_scatter;
	}
}

const struct bank_plan bank_plans[] = {
	{"rounds", sizeof(struct af_plan), present_init, present_tell, present_wish, present_answer},
};
const size_t bank_plan_count = sizeof bank_plans / sizeof bank_plans[0];
