/* SPDX-License-Identifier: MIT */
#include "exposure.h"

void exposure_accept(struct exposure *e, const struct exposure_request *request, bool private)
{
	e->request = *request;
	e->op++;
	e->private = private;
	e->retried = private; /* a run exposes again by itself */
	e->phase = EXPOSE_ACCEPTED;
	e->failed = false;
	e->abort_wanted = false;
	e->stop_wanted = false;
	if (!private) {
		e->told.until_ms = 0;
	}
}

void exposure_begun(struct exposure *e, int64_t now_ms)
{
	e->phase = EXPOSE_RUNNING;
	e->reading = false;
	e->start_utc_ms = clock_utc_ms();
	e->start_ms = now_ms;
	e->next_poll_ms = now_ms;
	e->poll_failures = 0;
}

void exposure_read_out(struct exposure *e)
{
	e->phase = EXPOSE_READING;
}

void exposure_again(struct exposure *e)
{
	e->retried = true;
	e->stop_wanted = false;
	e->reading = false;
	e->phase = EXPOSE_ACCEPTED;
}

void exposure_over(struct exposure *e, const struct err *why)
{
	exposure_forget(e);
	e->done_op = e->op;
	e->done = why != NULL ? *why : (struct err){0};
}

void exposure_forget(struct exposure *e)
{
	e->phase = EXPOSE_NONE;
	e->reading = false;
	e->abort_wanted = false;
	e->stop_wanted = false;
}

double exposure_share(const struct exposure *e, int64_t now_ms)
{
	if (e->phase == EXPOSE_READING || e->reading) {
		return 1.0;
	}
	if (e->phase != EXPOSE_RUNNING) {
		return 0.0;
	}
	double elapsed_s = (double)(now_ms - e->start_ms) / 1000.0;
	double share = e->request.duration_s > 0 ? elapsed_s / e->request.duration_s : 1.0;
	return share > 1.0 ? 1.0 : share;
}
