/* SPDX-License-Identifier: MIT */
/* How the controller is set: speed, step mode, its own temperature compensation. */
#include "log.h"
#include "moonlite_private.h"

#define SETTING_MS 150

/* Step delays and what they mean, fastest first. */
static const struct {
	int delay;
	int steps_per_s;
} speeds[] = {{0x02, 250}, {0x04, 125}, {0x08, 63}, {0x10, 32}, {0x20, 16}};

#define SPEEDS (sizeof speeds / sizeof speeds[0])

bool moonlite_settings_wanted(const struct moonlite *m)
{
	return m->port->speed_steps_per_s > 0 || m->port->step_mode != FOCUSER_STEP_AS_IS;
}

/* The step delay for a speed: that of the fastest setting which does not exceed it. */
static int delay_for(int32_t steps_per_s)
{
	for (size_t i = 0; i < SPEEDS; i++) {
		if (speeds[i].steps_per_s <= steps_per_s) {
			return speeds[i].delay;
		}
	}
	return speeds[SPEEDS - 1].delay;
}

/* Asks for one byte of the settings; -1 when the controller does not say.  Only a vanished port is an error. */
static enum err_code ask_setting(struct moonlite *m, enum moonlite_command command,
	int64_t deadline_ms, int *value, struct err *err)
{
	struct span frame;
	*value = -1;
	enum err_code code = moonlite_ask_once(m, command,
		sooner(deadline_ms, real_ms() + SETTING_MS), &frame, err);
	if (code == ERR_OK) {
		(void)moonlite_decode_byte(frame, value);
	}
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL ? ERR_OK : code;
}

enum err_code moonlite_read_settings(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	int half = -1;
	int delay = -1;
	enum err_code code = ask_setting(m, MOONLITE_GET_HALF_STEP, deadline_ms, &half, err);
	if (code == ERR_OK && half >= 0) {
		code = ask_setting(m, MOONLITE_GET_DELAY, deadline_ms, &delay, err);
	}
	if (code != ERR_OK || half < 0) {
		return code;
	}
	int steps_per_s = 0;
	for (size_t i = 0; i < SPEEDS; i++) {
		if (speeds[i].delay == delay) {
			steps_per_s = speeds[i].steps_per_s;
		}
	}
	log_info(m->host->source, "set to %s steps, delay %02X (%d steps/s on the original)",
		half != 0 ? "half" : "full", (unsigned)delay & 0xFFu, steps_per_s);
	if (m->settings_due) {
		return ERR_OK;
	}
	if (m->port->speed_steps_per_s > 0 && delay != delay_for(m->port->speed_steps_per_s)) {
		log_warn(m->host->source, "the controller did not take the speed");
	}
	if (m->port->step_mode != FOCUSER_STEP_AS_IS &&
		(half != 0) != (m->port->step_mode == FOCUSER_STEP_HALF)) {
		log_warn(m->host->source, "the controller did not take the step mode");
	}
	return ERR_OK;
}

enum err_code moonlite_make_settings(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	enum err_code code = ERR_OK;
	m->settings_due = false;
	if (m->port->speed_steps_per_s > 0) {
		code = moonlite_tell(m, MOONLITE_SET_DELAY, delay_for(m->port->speed_steps_per_s), err);
	}
	if (code == ERR_OK && m->port->step_mode != FOCUSER_STEP_AS_IS) {
		code = moonlite_tell(m, m->port->step_mode == FOCUSER_STEP_HALF ? MOONLITE_HALF_STEP
										: MOONLITE_FULL_STEP,
			0, err);
	}
	return code != ERR_OK ? code : moonlite_read_settings(m, deadline_ms, err);
}

/* To switch it on, the number of steps per degree is set first and read back: a clone that only knows the words
 * would keep its own number. */
enum err_code moonlite_set_tempcomp(void *ctx, bool on, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code != ERR_OK) {
		return code;
	}
	if (!on) {
		m->compensating = false;
		m->compensation_due = false;
		return moonlite_tell(m, MOONLITE_COMPENSATION_OFF, 0, err);
	}
	int wanted = (int)m->port->tempcomp_steps_per_c;
	int kept = 0;
	struct span frame = {NULL, 0};
	code = moonlite_tell(m, MOONLITE_SET_COEFFICIENT, wanted, err);
	if (code == ERR_OK) {
		code = moonlite_ask(m, MOONLITE_GET_COEFFICIENT, real_ms() + MOONLITE_CALL_MS, &frame,
			err);
	}
	if (code == ERR_OK) {
		code = moonlite_decode_byte(frame, &kept);
	}
	if (code == ERR_OK && (int8_t)(uint8_t)kept != wanted) {
		return err_set(err, ERR_REFUSED,
			"the controller keeps %d steps per degree when told %d: it does not compensate",
			(int)(int8_t)(uint8_t)kept, wanted);
	}
	if (code == ERR_OK) {
		code = moonlite_tell(m, MOONLITE_COMPENSATION_ON, 0, err);
	}
	if (code == ERR_OK) {
		m->compensating = true;
		m->compensation_due = false;
	}
	return code;
}
