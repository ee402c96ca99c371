/* SPDX-License-Identifier: MIT */
/* Where the next frame will be taken, while this one is still being looked at. */
#include "af_inside.h"

bool af_plan_ahead(const struct af_plan *plan, int32_t *position)
{
	int next = plan->p.queue_index + 1;
	bool sweeps = plan->phase == AF_PHASE_SWEEP || plan->phase == AF_PHASE_EXTEND;
	if (!sweeps || plan->wish.want != AF_WANT_SAMPLE || next >= plan->p.queue_count) {
		return false;
	}
	double sign = plan->setup.approach == MOVES_APPROACH_OUT ? 1 : -1;
	*position = plan->p.queue[next];
	return sign * (*position - plan->wish.position) > 0;
}

void af_plan_went(struct af_plan *plan, int32_t position)
{
	bool over = plan->wish.want == AF_WANT_SUCCESS || plan->wish.want == AF_WANT_FAILURE;
	if (!over && plan->wish.position != position) {
		plan->p.stand = position;
		af_route(plan);
	}
}
