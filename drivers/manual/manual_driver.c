/* SPDX-License-Identifier: MIT */
/*
 * A focuser without a motor: a person turns its knob and says where it stands.  Its steps are the divisions of the
 * knob.  There is no device to ask, so what was said lives in memory that outlives the link; the journal of positions
 * carries it from one server to the next.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "focuser_driver.h"

/* The highest position unless max_step is configured: a hundred turns of a knob with a thousand divisions, which is
 * more than any drawtube or mirror needs. */
#define MANUAL_MAX_STEP 100000

/* What a person has said.  It is written on the device's worker alone, but memory that the host keeps has to be
 * atomic. */
struct manual_word {
	_Atomic bool begun;    /* the two below count; before that the journal is asked */
	_Atomic bool known;
	_Atomic int32_t position;
};

struct manual_focuser {
	struct manual_word *word;
	int32_t max_step, steps_per_turn;
};

static enum err_code manual_open(void *ctx, const struct focuser_port *port, const struct driver_host *host,
	struct err *err)
{
	struct manual_focuser *m = ctx;
	char key[32];
	snprintf(key, sizeof key, "manual.%d", host->number);
	m->word = host->share(host->share_ctx, key, sizeof *m->word);
	if (m->word == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory for the position of %s", host->source);
	}
	if (!atomic_load(&m->word->begun)) {
		atomic_store(&m->word->position, host->stood_known ? host->stood : 0);
		atomic_store(&m->word->known, host->stood_known);
		atomic_store(&m->word->begun, true);
	}
	m->max_step = port->max_step > 0 ? port->max_step : MANUAL_MAX_STEP;
	m->steps_per_turn = port->steps_per_turn;
	return ERR_OK;
}

static enum err_code manual_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	(void)err;
	const struct manual_focuser *m = ctx;
	memset(caps, 0, sizeof *caps);
	caps->max_step = m->max_step;
	caps->max_increment = m->max_step;
	caps->steps_per_turn = m->steps_per_turn;
	caps->step_size_um = NAN;
	snprintf(caps->identity, sizeof caps->identity, "focuser that is turned by hand");
	snprintf(caps->move_refusal, sizeof caps->move_refusal,
		"turned by hand: turn the knob, then say where it stands, by SetPosition or on the page");
	return ERR_OK;
}

static void manual_close(void *ctx)
{
	struct manual_focuser *m = ctx;
	m->word = NULL;
}

/* Core has refused the move already, by the caps. */
static enum err_code manual_start_move(void *ctx, int32_t target, struct err *err)
{
	(void)ctx;
	return err_set(err, ERR_INVALID_OPERATION, "there is no motor that could go to %d", (int)target);
}

/* Nothing can be stopped, because nothing here moves the focuser. */
static enum err_code manual_halt(void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	return ERR_OK;
}

static enum err_code manual_poll(void *ctx, unsigned want, struct focuser_reading *out, struct err *err)
{
	(void)want;
	(void)err;
	const struct manual_focuser *m = ctx;
	memset(out, 0, sizeof *out);
	out->moving_valid = true;
	out->position_valid = atomic_load(&m->word->known);
	out->position = atomic_load(&m->word->position);
	return ERR_OK;
}

static enum err_code manual_set_position(void *ctx, int32_t position, struct err *err)
{
	const struct manual_focuser *m = ctx;
	if (position < 0 || position > m->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)position, (int)m->max_step);
	}
	atomic_store(&m->word->position, position);
	atomic_store(&m->word->known, true);
	return ERR_OK;
}

const struct focuser_driver manual_driver = {
	.name = "manual",
	.title = "Focuser turned by hand",
	.ctx_size = sizeof(struct manual_focuser),
	.by_hand = true,
	.count = FOCUSER_COUNT_KEPT,
	/* There is nothing to look at; a poll only keeps the reading fresh, and costs nothing. */
	.poll_moving_ms = 1000,
	.poll_idle_ms = 1000,
	.poll_temperature_ms = 60000,
	/* No motion is ever timed by it. */
	.speed_floor_steps_per_s = 1.0,
	.open = manual_open,
	.identify = manual_identify,
	.close = manual_close,
	.start_move = manual_start_move,
	.halt = manual_halt,
	.poll = manual_poll,
	.set_position = manual_set_position,
};
