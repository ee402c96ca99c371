/* SPDX-License-Identifier: MIT */
/*
 * Taking turns on a bus where only one may talk.  Nothing here waits on the descriptor: the line is
 * looked at every few milliseconds through read_some(), so that what others say meanwhile is
 * dropped and a pulled plug is noticed.
 */
#include "transport.h"

#include "moment.h"

#define CTS_WAIT_MS 100
#define CTS_LOOK_MS 2
#define BACK_OFF_FROM_MS 10
#define BACK_OFF_TO_MS 50

/* Two programs that collided must not collide again, so the pause is made from the time and an address, in which
 * they differ. */
static int64_t back_off_ms(const struct transport *t, int64_t now)
{
	uint64_t mixed = ((uint64_t)now ^ (uint64_t)(uintptr_t)t) * 0x9E3779B97F4A7C15u;
	return BACK_OFF_FROM_MS + (int64_t)((mixed >> 33) % (BACK_OFF_TO_MS - BACK_OFF_FROM_MS + 1));
}

/* Waits until until_ms and drops what the others say meanwhile, which is not for us. */
static enum err_code stand_aside(struct transport *t, int64_t until_ms, struct err *err)
{
	while (real_ms() < until_ms) {
		char scrap[64];
		size_t got = 0;
		enum err_code code = t->ops->read_some(t, scrap, sizeof scrap, &got, until_ms, err);
		if (code != ERR_OK && code != ERR_TIMEOUT) {
			return code;
		}
	}
	return ERR_OK;
}

/* ERR_OK with *ours: whether the bus was given to us in time. */
static enum err_code ask_for_bus(struct transport *t, int64_t until_ms, bool *ours, struct err *err)
{
	*ours = false;
	for (;;) {
		enum err_code code = t->ops->read_cts(t, ours, err);
		int64_t now = real_ms();
		if (code != ERR_OK || *ours || now >= until_ms) {
			return code;
		}
		code = stand_aside(t, sooner(now + CTS_LOOK_MS, until_ms), err);
		if (code != ERR_OK) {
			return code;
		}
	}
}

static enum err_code get_bus(struct transport *t, enum transport_turn turn, int64_t deadline_ms,
	struct err *err)
{
	for (;;) {
		enum err_code code = t->ops->set_lines(t, true, true, err);
		bool ours = true;
		if (code == ERR_OK && turn == TRANSPORT_TURN_RTS_CTS && t->ops->read_cts != NULL) {
			code = ask_for_bus(t, sooner(real_ms() + CTS_WAIT_MS, deadline_ms), &ours, err);
		}
		if (code != ERR_OK || ours) {
			return code;
		}
		code = t->ops->set_lines(t, true, false, err);
		int64_t now = real_ms();
		if (code == ERR_OK && now >= deadline_ms) {
			code = err_set(err, ERR_TIMEOUT,
				"%s: the bus stays busy: CTS does not come up (is it wired?)",
				t->ops->describe(t));
		}
		if (code == ERR_OK) {
			code = stand_aside(t, sooner(now + back_off_ms(t, now), deadline_ms), err);
		}
		if (code != ERR_OK) {
			return code;
		}
	}
}

enum err_code transport_write_in_turn(struct transport *t, enum transport_turn turn,
	const void *data, size_t len, int64_t deadline_ms, struct err *err)
{
	if (turn == TRANSPORT_TURN_NONE) {
		return t->ops->write_all(t, data, len, deadline_ms, err);
	}
	enum err_code code = get_bus(t, turn, deadline_ms, err);
	if (code != ERR_OK) {
		return code;
	}
	code = t->ops->write_all(t, data, len, deadline_ms, err);
	if (code == ERR_OK && t->ops->drain != NULL) {
		code = t->ops->drain(t, deadline_ms, err);
	}
	/* Nobody else on the bus can talk while RTS is up, so it is lowered whatever happened. */
	enum err_code lowered = t->ops->set_lines(t, true, false, code == ERR_OK ? err : NULL);
	return code != ERR_OK ? code : lowered;
}
