/* SPDX-License-Identifier: MIT */
/*
 * How a run ends: after a success the focuser stands at the best position; after a failure or an abort it goes back to
 * where the run began; after a halt, a disconnect or a lost link it stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autofocus_private.h"
#include "focuser.h"

/* No single move of a run may take longer than this, on the device's clock. */
#define MOVE_LIMIT_MS 600000
/* A motor that was told to stop gets so long to come to rest before its position is told. */
#define REST_LIMIT_MS 5000

enum err_code autofocus_wait_move(struct autofocus *af, uint64_t op, bool cancellable, struct err *err)
{
	return focuser_run_wait(af->focuser, op, cancellable ? &af->jobs.cancel : NULL,
		clock_now_ms(af->focuser->clock) + MOVE_LIMIT_MS, err);
}

enum err_code autofocus_go_to(struct autofocus *af, uint64_t run, int32_t position, bool cancellable,
	struct err *err)
{
	uint64_t op;
	enum err_code code = focuser_run_move(af->focuser, run, position, &op, err);
	if (code != ERR_OK) {
		return code;
	}
	return autofocus_wait_move(af, op, cancellable, err);
}

static void show_phase(struct autofocus *af, enum run_state state, const char *reason, enum run_phase phase)
{
	pthread_mutex_lock(&af->jobs.lock);
	af->run->state = state;
	snprintf(af->run->phase, sizeof af->run->phase, "%s", run_phase_name(phase));
	if (state != RUN_RUNNING) {
		af->run->code = ERR_CANCELLED;
		snprintf(af->run->reason, sizeof af->run->reason, "%s", reason);
	}
	jobs_changed(&af->jobs);
	pthread_mutex_unlock(&af->jobs.lock);
}

/* Waits until the motor rests: after a halt it may still be slowing down, and only at rest it can be said where it
 * stands. */
static void wait_for_rest(struct autofocus *af)
{
	focuser_wait_rest(af->focuser, clock_now_ms(clock_real()) + REST_LIMIT_MS);
}

/* What an aborted run says of its cause. */
static const char *abort_cause(const struct autofocus *af, char *out, size_t cap)
{
	snprintf(out, cap, "aborted");
	if (atomic_load(&af->jobs.interrupt) == LEASE_LEFT) {
		snprintf(out, cap, "aborted: %s was disconnected during the run", af->camera->info.name);
	}
	return out;
}

/* Moves the focuser back to where the run began and adds to *end how that went. */
static void go_back(struct autofocus *af, uint64_t id, double start_position, bool moved, struct autofocus_end *end)
{
	bool aborted = end->state == RUN_ABORTED;
	char cause[160];
	abort_cause(af, cause, sizeof cause);
	show_phase(af, aborted ? RUN_ABORTED : RUN_RUNNING,
		"aborted; the focuser returns to where the run began", RUN_PHASE_RETURNING);
	struct err back = {0};
	struct err first = end->why;
	if (!moved || autofocus_go_to(af, id, (int32_t)lround(start_position), false, &back) == ERR_OK) {
		if (aborted) {
			err_set(&end->why, ERR_CANCELLED, "%s; the focuser is back where the run began", cause);
		}
		return;
	}
	const char *what = aborted ? cause : first.text;
	switch (atomic_load(&af->jobs.interrupt)) {
	case LEASE_HALTED:
		wait_for_rest(af);
		err_set(&end->why, first.code, "%s; halted on the way back, it stands at %.0f", what,
			autofocus_where(af));
		break;
	case LEASE_DISCONNECTED:
		wait_for_rest(af);
		err_set(&end->why, first.code, "%s; disconnected on the way back, it stands at %.0f", what,
			autofocus_where(af));
		break;
	default:
		err_set(&end->why, first.code, "%s; and it could not go back: %s", what, back.text);
	}
}

/* Ends a run whose motor somebody stopped: it says so, and when the motor rests also where. */
static void end_where_it_stopped(struct autofocus *af, const char *what, struct autofocus_end *end)
{
	struct err shown;
	end->state = RUN_ABORTED;
	err_set(&shown, ERR_CANCELLED, "%s; the focuser stays where it stops", what);
	show_phase(af, RUN_ABORTED, shown.text, RUN_PHASE_STOPPING);
	wait_for_rest(af);
	err_set(&end->why, ERR_CANCELLED, "%s; the focuser stays where it stopped, at %.0f", what,
		autofocus_where(af));
}

struct autofocus_end autofocus_bring_to_end(struct autofocus *af, uint64_t id, enum err_code code,
	const struct err *why, double start_position, bool moved)
{
	struct autofocus_end end = {.state = RUN_SUCCEEDED};
	if (code == ERR_OK) {
		return end;
	}
	end.state = RUN_FAILED;
	end.why = *why;
	int interrupt = atomic_load(&af->jobs.interrupt);
	char what[160];
	switch (interrupt) {
	case LEASE_HALTED:
		end_where_it_stopped(af, "halted", &end);
		return end;
	case LEASE_DISCONNECTED:
		snprintf(what, sizeof what, "%s was disconnected during the run", af->focuser->info.name);
		end_where_it_stopped(af, what, &end);
		return end;
	case LEASE_ABORT:
	case LEASE_LEFT:
		end.state = RUN_ABORTED;
		break;
	default:
		break;
	}
	if (interrupt == LEASE_LINK_LOST || device_link(af->focuser) != LINK_UP) {
		/* A focuser that went astray still has its link, and its halt is already being sent. */
		wait_for_rest(af);
		err_set(&end.why, end.why.code, "%s; nothing moves",
			end.state == RUN_ABORTED ? abort_cause(af, what, sizeof what) : why->text);
		return end;
	}
	go_back(af, id, start_position, moved, &end);
	return end;
}

void autofocus_set_end(struct run *run, const struct autofocus_end *end)
{
	bool good = end->state == RUN_SUCCEEDED;
	run->state = end->state;
	run->code = good ? ERR_OK : end->why.code;
	snprintf(run->reason, sizeof run->reason, "%s", good ? "" : end->why.text);
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(RUN_PHASE_OVER));
	run->final_position = end->final_position;
	run->duration_s = end->elapsed_s;
	run->temperature_c = end->temperature_c;
	if (good) {
		run->progress = 1.0;
	}
}

/* Adds a doubt to the reason of a failure: a run looks for stars, not for numbers, so it goes on with a position that
 * is not trusted; but when it fails, that may be why. */
void autofocus_say_doubt(struct device *dev, struct autofocus_end *end)
{
	struct focuser_state now;
	focuser_state(dev, &now);
	if (end->state == RUN_FAILED && now.position_valid && now.trust != POSITION_KNOWN) {
		struct err why = end->why;
		/* A long reason is cut, so that the doubt still stands. */
		int room = (int)(sizeof why.text - sizeof " (the position of the focuser is unknown)");
		err_set(&end->why, why.code, "%.*s (the position of the focuser is %s)", room, why.text,
			focuser_trust_name(now.trust));
	}
}

void autofocus_keep_run(struct autofocus *af, uint64_t id, const struct autofocus_end *end)
{
	pthread_mutex_lock(&af->jobs.lock);
	struct run *copy = run_copy(af->run);
	pthread_mutex_unlock(&af->jobs.lock);
	if (copy != NULL) {
		autofocus_set_end(copy, end);
	}
	if (copy == NULL || !store_keep_run(af->needs.store, copy)) {
		log_error(af->focuser->info.source, "run=%llu could not be kept: out of memory",
			(unsigned long long)id);
	}
	run_free(copy);
}

void autofocus_log_end(struct autofocus *af, uint64_t id, const struct autofocus_end *end)
{
	if (end->state == RUN_SUCCEEDED) {
		log_info(af->focuser->info.source, "run=%llu succeeded best=%.1f", (unsigned long long)id,
			af->plan.fit.best_position);
	} else {
		log_warn(af->focuser->info.source, "run=%llu %s: %s", (unsigned long long)id,
			run_state_name(end->state), end->why.text);
	}
}
