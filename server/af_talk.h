/* SPDX-License-Identifier: MIT */
/* What `focusd af` and a server say to each other in Alpaca: members, Actions, the run.  One thread; each call waits
 * for the network, AF_PATIENCE_MS at most. */
#ifndef FOCUSD_AF_TALK_H
#define FOCUSD_AF_TALK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "af_http.h"
#include "json.h"

/* A reply that is asked for takes no longer; a server that is silent for longer has gone. */
#define AF_PATIENCE_MS 5000
/* The most bytes of a reply: more than a run with all its points. */
#define AF_REPLY_MAX (4 << 20)

/* One call of the program: what it was asked for, and what the server said last. */
struct af_call {
	struct af_server server;
	const char *url, *filter, *mode, *report;
	uint32_t focuser, timeout_s;
	bool quiet;
	uint32_t client, transaction;
	struct buf reply;
	struct err err;    /* of the last request that failed */
	char message[240]; /* the server's sentence */
};

/* One PUT of Alpaca.  stop, as in af_http(), may be NULL.  The error number of the server with its sentence in
 * af->message; -1 with af->err when no answer of Alpaca came: ERR_PROTOCOL when something else answered.  *value (may
 * be NULL) becomes the document in the text of Value, which the caller frees. */
int af_put(struct af_call *af, const char *kind, uint32_t number, const char *member, const char *fields,
	struct json **value, const volatile sig_atomic_t *stop);

/* The same for an Action of the focuser. */
int af_action(struct af_call *af, const char *name, const char *parameters, struct json **value,
	const volatile sig_atomic_t *stop);

/* The run of this number ("": the last one) as it is, which the caller frees; NULL when the server does not answer for
 * 8 s, since a wireless link may drop out for a moment, or has no such run. */
struct json *af_look(struct af_call *af, const char *id);

#endif
