/* SPDX-License-Identifier: MIT */
/*
 * Actions: what a device can do beyond its interface.  Each is one row of one table (actions.c): its name, who
 * has it, its parameters, its handler.  The names in supportedactions, the checks of Parameters and their error
 * sentences all come from the row.
 */
#ifndef FOCUSD_ACTION_H
#define FOCUSD_ACTION_H

#include "alpaca_call.h"

enum { ACTION_MAX_PARAMS = 8, ACTION_TEXT_MAX = 64 };

enum action_type {
	ACTION_NUMBER, /* from low to high */
	ACTION_WHOLE,  /* a whole number from low to high */
	ACTION_TEXT,   /* at most ACTION_TEXT_MAX - 1 bytes */
	ACTION_WORD    /* one of words, without regard to case */
};

/* One parameter. One with a name is a member of the JSON object in Parameters, and if `plain` is set, Parameters may
 * also be its value alone. One without a name can only be given as the value alone. */
struct action_param {
	const char *name;
	enum action_type type;
	double low, high;
	const char *words; /* ACTION_WORD: separated by one blank, "restore keep" */
	bool plain;
};

/* The value that a client gave for a parameter. */
struct action_value {
	bool given;
	double number;              /* ACTION_NUMBER, ACTION_WHOLE; of an ACTION_WORD its index in words, from 0 */
	char text[ACTION_TEXT_MAX]; /* ACTION_TEXT */
};

struct action {
	const char *name;               /* as supportedactions spells it; matched without regard to case */
	const struct device_kind *kind; /* the kind whose devices have it */
	const struct device_kind *also; /* another kind whose devices have it, too; NULL: none */
	const char *help;               /* what it does, a verb phrase: "starts an autofocus run" */
	/* The end of the sentence "Parameters must be ..."; NULL when there are no parameters. */
	const char *expected;
	bool needs_link;                /* 0x407 unless connected for this client */
	bool needs_value;               /* empty Parameters are an error */
	bool waits;                     /* the call is suspended until the action is done; other calls return at once */
	/* An action that starts something and returns at once: the number of that; see ongoing_fn. NULL: it starts
	 * nothing. */
	ongoing_fn ongoing;
	bool (*has)(struct call *call); /* whether the call's device, of such a kind, has it; NULL: all have */
	/* Whether the action makes sense at this moment; if not, an error with the reason. It is asked once the
	 * parameters are right; NULL: the action always does. */
	enum err_code (*sensible)(struct call *call, struct err *err);
	/* Does the action. value has an entry for each row of param; it is NULL when a waiting call is resumed
	 * (call->wait is set). */
	enum http_result (*run)(struct call *call, const struct action_value *value);
	struct action_param param[ACTION_MAX_PARAMS]; /* ends where neither name nor plain is set */
};

extern const struct action alpaca_actions[];
extern const size_t alpaca_action_count;

/* The number of parameters that the action has. */
size_t action_param_count(const struct action *action);

/* Reads Parameters into value[ACTION_MAX_PARAMS].  A JSON null counts as not given.  ERR_INVALID_VALUE with a sentence
 * that names what is wrong: a member that the action does not have, a value of the wrong type or outside its range,
 * text that is none of its plain values.  Pure. */
enum err_code action_read(const struct action *action, const char *parameters, struct action_value *value,
	struct err *err);

/* ---- handlers, by file ---- */

/* action_autofocus.c */
enum err_code action_a_run_is_known(struct call *call, struct err *err);
uint64_t action_ongoing_run(struct call *call);
enum http_result action_autofocus(struct call *call, const struct action_value *value);
enum http_result action_autofocus_status(struct call *call, const struct action_value *value);
enum http_result action_autofocus_wait(struct call *call, const struct action_value *value);
enum http_result action_autofocus_abort(struct call *call, const struct action_value *value);
enum http_result action_learned(struct call *call, const struct action_value *value);
bool action_can_measure(struct call *call);
enum http_result action_measure_stars(struct call *call, const struct action_value *value);

/* action_guided.c */
uint64_t action_ongoing_guided(struct call *call);
enum http_result action_guided_focus(struct call *call, const struct action_value *value);

/* action_focuser.c */
bool action_can_calibrate(struct call *call);
uint64_t action_ongoing_calibration(struct call *call);
enum http_result action_calibrate(struct call *call, const struct action_value *value);
enum http_result action_set_position(struct call *call, const struct action_value *value);
enum http_result action_set_temperature(struct call *call, const struct action_value *value);

/* The most seconds that a handler lets its client wait, below the 100 s that clients allow. */
#define ACTION_WAIT_MAX_S 90

#endif
