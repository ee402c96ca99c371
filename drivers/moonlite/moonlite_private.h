/* SPDX-License-Identifier: MIT */
/*
 * The inside of the Moonlite driver, shared by its files: moonlite_driver.c (link, polls, table),
 * moonlite_move.c (moves and halts), moonlite_settings.c, moonlite_wire.c (one command, one answer).
 */
#ifndef FOCUSD_MOONLITE_PRIVATE_H
#define FOCUSD_MOONLITE_PRIVATE_H

#include "focuser_driver.h"
#include "moonlite_codec.h"
#include "moment.h"
#include "wire.h"

/* Four digits; the original has no more. */
#define MOONLITE_MAX_16_BIT 65535

/* No call takes longer. */
#define MOONLITE_CALL_MS 1900

/* What the user said of this controller, one flag for each word of quirks. */
struct moonlite_quirks {
	bool no_version;         /* :GV# is not asked */
	bool no_target;          /* :GN# is not asked: targets go unchecked */
	bool sn_starts;          /* :SN starts the motor */
	bool no_hash;            /* answers may lack their '#' */
	bool extended;           /* positions above 65535 */
	bool signed_positions;   /* four digits above 7FFF are negative */
	bool whole_degrees;      /* :GT# counts whole degrees */
	bool lands_beside;       /* stops a little beside its target */
};

struct moonlite {
	const struct focuser_port *port;
	const struct driver_host *host;
	struct moonlite_quirks quirks;
	struct wire wire;
	int32_t max_step;
	bool out_of_step;        /* a reply may be missing: resynchronise before the next question */
	char unterminated[16];   /* an answer that lacked its '#', and the '#' */

	/* Motion. */
	bool may_move;           /* not seen at rest since the last reason to move */
	bool position_known;
	int32_t position;        /* last one read, not below 0 */
	int64_t position_ms;     /* when, real clock */
	bool target_known;       /* target is what the controller keeps */
	int32_t target;          /* last one set */
	int32_t target_before;   /* what it keeps if it has missed the last one */
	bool sn_tested;          /* sn_moves is known */
	bool sn_moves;           /* this clone starts at SN already */
	bool retarget_due;       /* after a halt: the old target must be forgotten, once at rest */

	/* Settings. */
	bool settings_due;       /* those of the configuration are still to be made, once at rest */
	bool compensation_due;   /* it may be on, and has to be off before anybody is told that it is off */
	bool compensating;       /* switched on by us */

	/* Temperature. */
	bool whole_degrees;
	bool converting;
	bool temperature_off;    /* this controller does not answer :GT# */
	int temperature_misses;
	int64_t conversion_ms;   /* device clock; when the last conversion was begun */
	bool conversion_begun;
};

/* Sends what has no answer. */
enum err_code moonlite_tell(struct moonlite *m, enum moonlite_command command, int32_t value,
	struct err *err);

/* One question; frames of another shape are late answers to earlier ones and are passed over. */
enum err_code moonlite_ask_once(struct moonlite *m, enum moonlite_command command, int64_t deadline_ms,
	struct span *frame, struct err *err);
/* The same; when an earlier answer was missed, it first gets in step with the controller again. */
enum err_code moonlite_ask(struct moonlite *m, enum moonlite_command command, int64_t deadline_ms,
	struct span *frame, struct err *err);
/* The same, and once more when it goes wrong, for what should not fail because of one lost answer.  Polls do not
 * repeat, because a halt waits until a poll has ended. */
enum err_code moonlite_ask_again(struct moonlite *m, enum moonlite_command command,
	int64_t deadline_ms, struct span *frame, struct err *err);

enum err_code moonlite_ask_moving(struct moonlite *m, int64_t deadline_ms, bool *moving,
	struct err *err);
/* Asks where the motor is and writes that to m->position. */
enum err_code moonlite_ask_position(struct moonlite *m, int64_t deadline_ms, struct err *err);
enum err_code moonlite_take_position(struct moonlite *m, struct span frame);

/* Whether the configuration says how the controller shall be set. */
bool moonlite_settings_wanted(const struct moonlite *m);
/* Sets the controller so, which has to be at rest; then as moonlite_read_settings(). */
enum err_code moonlite_make_settings(struct moonlite *m, int64_t deadline_ms, struct err *err);
/* Asks how the controller is set, tells the log, and compares that with what is wanted.  Only a vanished port and
 * something urgent are errors. */
enum err_code moonlite_read_settings(struct moonlite *m, int64_t deadline_ms, struct err *err);
enum err_code moonlite_set_tempcomp(void *ctx, bool on, struct err *err);

enum err_code moonlite_start_move(void *ctx, int32_t target, struct err *err);
enum err_code moonlite_halt(void *ctx, struct err *err);

#endif
