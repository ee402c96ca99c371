/* SPDX-License-Identifier: MIT */
/* Sends commands, takes answers, and gets in step with the controller again when an answer was missed. */
#include <string.h>

#include "moonlite_private.h"

#define ANSWER_MS 500
/* An answer that lacks its end is taken for whole after this time; QUIET_MS later where the line is first left to
 * fall quiet. */
#define ANSWER_WITHOUT_END_MS 150
#define QUIET_MS 200
#define RESYNC_MS 500
#define WRITE_MS 300

enum err_code moonlite_tell(struct moonlite *m, enum moonlite_command command, int32_t value,
	struct err *err)
{
	char text[MOONLITE_MAX_COMMAND];
	struct span bytes = {.data = text, .len = moonlite_encode(text, command, value)};
	if (bytes.len == 0) {
		return err_set(err, ERR_INVALID_VALUE, "%d is no number for this controller",
			(int)value);
	}
	return exchange_tell(&m->wire.x, bytes, real_ms() + WRITE_MS, err);
}

/* Takes the bytes that came when they are a whole answer but for the '#'.  Only whole widths count: two digits of
 * four would be half an answer. */
static enum err_code take_unterminated(struct moonlite *m, enum moonlite_reply reply,
	struct span *frame, enum err_code failed)
{
	struct span rest = exchange_rest(&m->wire.x);
	bool wide = reply == MOONLITE_REPLY_POSITION || reply == MOONLITE_REPLY_TEMPERATURE;
	bool whole = wide ? rest.len == 4 || rest.len == 8 : rest.len == 2;
	if (!whole) {
		return failed;
	}
	memcpy(m->unterminated, rest.data, rest.len);
	m->unterminated[rest.len] = '#';
	*frame = (struct span){.data = m->unterminated, .len = rest.len + 1};
	if (!moonlite_fits(reply, *frame)) {
		return failed;
	}
	m->wire.x.unsettled = false;
	return ERR_OK;
}

enum err_code moonlite_ask_once(struct moonlite *m, enum moonlite_command command, int64_t deadline_ms,
	struct span *frame, struct err *err)
{
	char text[MOONLITE_MAX_COMMAND];
	struct span bytes = {.data = text, .len = moonlite_encode(text, command, 0)};
	enum moonlite_reply reply = moonlite_reply_kind(command);
	scan_fn scan = reply == MOONLITE_REPLY_VERSION ? moonlite_scan_version : moonlite_scan;
	if (m->quirks.no_hash) {
		deadline_ms = sooner(deadline_ms,
			real_ms() + ANSWER_WITHOUT_END_MS + (m->wire.x.unsettled ? QUIET_MS : 0));
	}
	enum err_code code = exchange_ask(&m->wire.x, bytes, scan, frame, deadline_ms, err);
	while (code == ERR_OK && !moonlite_fits(reply, *frame)) {
		code = exchange_next(&m->wire.x, scan, frame, deadline_ms, err);
	}
	if (code == ERR_PROTOCOL && m->quirks.no_hash) {
		code = take_unterminated(m, reply, frame, code);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL || code == ERR_CANCELLED) {
		m->out_of_step = true;
	}
	return code;
}

/* After a missed answer two questions are asked whose answers differ in shape.  A late reply can pass for at most
 * one of them, so when both are answered everything older is used up. */
static enum err_code resync(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	struct span frame;
	enum err_code code = moonlite_ask_once(m, MOONLITE_GET_MOVING,
		sooner(deadline_ms, real_ms() + RESYNC_MS), &frame, err);
	if (code == ERR_OK) {
		code = moonlite_ask_once(m, MOONLITE_GET_POSITION,
			sooner(deadline_ms, real_ms() + RESYNC_MS), &frame, err);
	}
	if (code == ERR_OK) {
		m->out_of_step = false;
	}
	return code;
}

enum err_code moonlite_ask(struct moonlite *m, enum moonlite_command command, int64_t deadline_ms,
	struct span *frame, struct err *err)
{
	if (m->out_of_step) {
		enum err_code code = resync(m, deadline_ms, err);
		if (code != ERR_OK) {
			return code;
		}
	}
	return moonlite_ask_once(m, command,
		sooner(deadline_ms, real_ms() + ANSWER_MS), frame, err);
}

enum err_code moonlite_ask_again(struct moonlite *m, enum moonlite_command command,
	int64_t deadline_ms, struct span *frame, struct err *err)
{
	enum err_code code = moonlite_ask(m, command, deadline_ms, frame, err);
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		code = moonlite_ask(m, command, deadline_ms, frame, err);
	}
	return code;
}

enum err_code moonlite_ask_moving(struct moonlite *m, int64_t deadline_ms, bool *moving,
	struct err *err)
{
	struct span frame;
	enum err_code code = moonlite_ask(m, MOONLITE_GET_MOVING, deadline_ms, &frame, err);
	return code != ERR_OK ? code : moonlite_decode_flag(frame, moving);
}

/* A board that prints a negative position means a motor a little below its zero. */
enum err_code moonlite_take_position(struct moonlite *m, struct span frame)
{
	int32_t position = 0;
	enum err_code code = moonlite_decode_position(frame, &position);
	if (code != ERR_OK) {
		return code;
	}
	if (m->quirks.signed_positions && moonlite_digits(frame) == 4 && position > INT16_MAX) {
		position -= MOONLITE_MAX_16_BIT + 1;
	}
	m->position = position;
	m->position_known = true;
	m->position_ms = real_ms();
	return ERR_OK;
}

enum err_code moonlite_ask_position(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	struct span frame;
	enum err_code code = moonlite_ask(m, MOONLITE_GET_POSITION, deadline_ms, &frame, err);
	return code != ERR_OK ? code : moonlite_take_position(m, frame);
}
