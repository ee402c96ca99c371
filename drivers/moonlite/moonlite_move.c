/* SPDX-License-Identifier: MIT */
/* Moves and halts.  Setters are silent, so the target is read back before the motor is started. */
#include "moonlite_private.h"

/* Superseding a move waits this long for the motor to stop. */
#define STOP_MS 1000

/* How long SN alone is given to show that it starts the motor. */
#define SN_TEST_MS 100

/* A target that got lost is set again, so often. */
#define TARGET_TRIES 2

/* Some clones ignore a new target while they move, so a running move is stopped first. */
static enum err_code stop_first(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	bool moving = true;
	struct span frame;
	enum err_code code = moonlite_ask_again(m, MOONLITE_GET_MOVING, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		code = moonlite_decode_flag(frame, &moving);
	}
	if (code != ERR_OK || !moving) {
		return code;
	}
	code = moonlite_tell(m, MOONLITE_STOP, 0, err);
	int64_t until_ms = sooner(deadline_ms, real_ms() + STOP_MS);
	while (code == ERR_OK && moving) {
		if (real_ms() >= until_ms) {
			return err_set(err, ERR_STALLED,
				"the motor did not stop to take a new target");
		}
		code = moonlite_ask_moving(m, deadline_ms, &moving, err);
	}
	return code != ERR_OK ? code : moonlite_ask_position(m, deadline_ms, err);
}

/* The controller has another target than it was given, twice.  One that keeps 16 bits would turn
 * 70000 into 4464 and drive there. */
static enum err_code refuse_target(struct moonlite *m, int32_t target, int32_t kept, struct err *err)
{
	m->target_known = false;
	/* On a clone where SN starts the motor, it runs by this time. */
	(void)moonlite_tell(m, MOONLITE_STOP, 0, NULL);
	if (kept == (target & MOONLITE_MAX_16_BIT)) {
		return err_set(err, ERR_REFUSED,
			"the controller turned target %d into %d: it has no positions above 65535, set max_step",
			(int)target, (int)kept);
	}
	return err_set(err, ERR_REFUSED,
		"the controller keeps %d for a target when told %d: if that is where its range ends, set "
		"min_step or max_step",
		(int)kept, (int)target);
}

/* Sets the target and reads back what the controller keeps: a lost :SN# followed by :FG# would drive to the old
 * one. */
static enum err_code set_target(struct moonlite *m, int32_t target, int64_t deadline_ms,
	struct err *err)
{
	int32_t kept = 0;
	m->target_before = m->target;
	m->target = target;
	m->target_known = false;
	for (int i = 0; i < TARGET_TRIES; i++) {
		enum err_code code = moonlite_tell(m, MOONLITE_SET_TARGET, target, err);
		if (code != ERR_OK || m->sn_moves || m->quirks.no_target) {
			return code;
		}
		struct span frame;
		struct err why;
		code = moonlite_ask_again(m, MOONLITE_GET_TARGET, deadline_ms, &frame, &why);
		if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
			return err_set(err, code, "%s; if it never answers that, add quirks = no-target",
				why.text);
		}
		if (code != ERR_OK) {
			return err_copy(err, &why);
		}
		if (moonlite_decode_position(frame, &kept) == ERR_OK && kept == target) {
			m->target_known = true;
			m->target_before = target;
			return ERR_OK;
		}
	}
	return refuse_target(m, target, kept, err);
}

/* Finds out whether SN alone has started the motor.  This is asked only when the motor was at rest elsewhere;
 * without an answer it stays unknown, and the move goes on. */
static enum err_code test_sn(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	struct span heard;
	int32_t before = m->position;
	enum err_code code = exchange_listen(&m->wire.x, real_ms() + SN_TEST_MS, &heard, err);
	bool moving = false;
	if (code == ERR_OK) {
		code = moonlite_ask_moving(m, deadline_ms, &moving, err);
	}
	if (code == ERR_OK) {
		code = moonlite_ask_position(m, deadline_ms, err);
	}
	if (code == ERR_OK) {
		m->sn_tested = true;
		m->sn_moves = moving || m->position != before;
	}
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL ? ERR_OK : code;
}

enum err_code moonlite_start_move(void *ctx, int32_t target, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code != ERR_OK) {
		return code;
	}
	if (target < 0 || target > m->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)target,
			(int)m->max_step);
	}
	int64_t deadline_ms = real_ms() + MOONLITE_CALL_MS;
	m->retarget_due = false;
	/* A controller that compensates by itself may have begun to move since the last look. */
	if ((m->may_move || m->compensating) && (code = stop_first(m, deadline_ms, err)) != ERR_OK) {
		return code;
	}
	if (m->settings_due && (code = moonlite_make_settings(m, deadline_ms, err)) != ERR_OK) {
		return code;
	}
	bool sn_test_due = !m->sn_tested && m->position_known && target != m->position;
	m->may_move = true;
	code = set_target(m, target, deadline_ms, err);
	if (code == ERR_OK && sn_test_due) {
		code = test_sn(m, deadline_ms, err);
	}
	if (code == ERR_OK && !m->sn_moves && wire_urgent(&m->wire)) {
		/* A halt that came meanwhile must not be answered with a start. */
		return err_set(err, ERR_CANCELLED, "the move was not begun");
	}
	if (code == ERR_OK && !m->sn_moves) {
		code = moonlite_tell(m, MOONLITE_GO, 0, err);
	}
	return code;
}

enum err_code moonlite_halt(void *ctx, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code == ERR_OK) {
		code = moonlite_tell(m, MOONLITE_STOP, 0, err);
	}
	if (code == ERR_OK) {
		/* The old target is replaced only where SN is known not to start the motor. */
		m->retarget_due = m->sn_tested && !m->sn_moves;
	}
	return code;
}
