/* SPDX-License-Identifier: MIT */
/*
 * What another Alpaca server answered, taken apart (Alpaca API Reference, chapters 2 and 3).  Pure.
 */
#ifndef FOCUSD_ALPACA_ANSWER_H
#define FOCUSD_ALPACA_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "json.h"

/* One answer of the device API or of the management API. */
struct alpaca_answer {
	struct json *json;         /* owned; NULL: nothing is held */
	const struct json *value;  /* its member Value, borrowed from json; NULL when there is none */
	uint32_t server_id;        /* ServerTransactionID; 0 when the server does not count */
};

/* Takes an answer apart: status is HTTP's, body what came with it.
 *   ERR_OK               *out is filled; alpaca_answer_fini() frees it
 *   ERR_NOT_IMPLEMENTED  the path is unknown there (404), or the device has no such member (0x400)
 *   ERR_PROTOCOL         another status, no JSON, or JSON that is no answer of an Alpaca server
 *   what alpaca_error_code() makes of the error number, with that number in err->number
 * After an error *out holds nothing but server_id, which is told wherever an envelope came.  what names the question in
 * sentences: "focuser/0/position". */
enum err_code alpaca_answer_read(long status, struct span body, const char *what, struct alpaca_answer *out,
	struct err *err);
void alpaca_answer_fini(struct alpaca_answer *answer);

/* The code of our own for an Alpaca ErrorNumber (not 0); ERR_REFUSED for all that are the device's affair. */
enum err_code alpaca_error_code(int32_t number);

/* Fills err with an error of the other server: its number (not 0) and its words, cleaned; `what` stands where it has no
 * words.  Returns the code. */
enum err_code alpaca_error_tell(int32_t number, const char *words, const char *what, struct err *err);

/* Reads the value; ERR_PROTOCOL with a sentence when it is missing or of another type.  A text is borrowed from the
 * answer. */
enum err_code alpaca_answer_bool(const struct alpaca_answer *answer, const char *what, bool *out, struct err *err);
enum err_code alpaca_answer_int(const struct alpaca_answer *answer, const char *what, int32_t *out, struct err *err);
enum err_code alpaca_answer_double(const struct alpaca_answer *answer, const char *what, double *out,
	struct err *err);
enum err_code alpaca_answer_text(const struct alpaca_answer *answer, const char *what, const char **out,
	struct err *err);

/* One device in the list of /management/v1/configureddevices. */
struct alpaca_listed {
	const char *name, *type, *unique_id; /* borrowed from the answer; "" where they are missing */
	int32_t number;
};

/* Element i of a value that is a list; false past the end.  Elements that are no device have number -1. */
bool alpaca_answer_device(const struct alpaca_answer *answer, int i, struct alpaca_listed *out);

#endif
