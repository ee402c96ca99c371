/* SPDX-License-Identifier: MIT */
/*
 * Requests to one other server, over the HTTP library.  On the device's worker only.
 *
 * There are three lanes, and what is out on one never keeps another from being sent, because each request that finds
 * the connections busy gets one of its own:
 *
 *   ASK    questions.  One that is out gives way to what is urgent: its connection is closed.
 *   ORDER  what must not be lost: moves, exposures, connects.  One that is out when something urgent comes up, or at
 *          its deadline, stays out, and alpaca_http_late() tells what became of it.
 *   STOP   halts and aborts.  They go at once, urgent or not, on a connection that nobody else uses.
 *
 * Nothing is sent twice, but for a connection that the other server had closed in the meantime before it took
 * anything.  No proxy is used, whatever the environment says, and no redirect is followed.
 */
#ifndef FOCUSD_ALPACA_HTTP_H
#define FOCUSD_ALPACA_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver_host.h"
#include "err.h"
#include "text.h"

enum alpaca_lane { ALPACA_ASK, ALPACA_ORDER, ALPACA_STOP, ALPACA_LANES };

/* The longest answer that is kept, bytes; a longer one is ERR_PROTOCOL. */
#define ALPACA_ANSWER_MAX (1024 * 1024)

/* Takes the bytes of an answer as they come, for what is too large to be kept. */
struct alpaca_sink {
	const char *content_type; /* only answers of this type go to the sink; others are kept */
	/* size > 0 bytes; false, with err filled, ends the transfer. */
	bool (*take)(void *ctx, const void *data, size_t size, struct err *err);
	void *ctx;
};

struct alpaca_request {
	enum alpaca_lane lane;
	bool put;               /* else GET */
	const char *path;       /* "/api/v1/focuser/0/move" */
	const char *fields;     /* name=value&..., ready for a URL; goes into the query, or into the body of a PUT */
	const char *header;     /* one more line of the head, "Name: value"; NULL none */
	const char *accept;     /* content types that are understood; NULL: application/json */
	int64_t deadline_ms;    /* on clock_real(); the answer is complete before it */
	int stall_ms;           /* no byte for so long is ERR_TIMEOUT, too; 0: only the deadline counts */
	bool patient;           /* it does not give way to what is urgent */
	const struct alpaca_sink *sinks; /* a list that a content_type of NULL ends; NULL: the answer is kept */
};

/* What came back.  body is borrowed from the lane, until its next request. */
struct alpaca_response {
	long status;            /* of HTTP */
	struct span body;       /* empty when it went to a sink */
	const struct alpaca_sink *sunk; /* where it went; NULL: it was kept */
	bool came;              /* alpaca_http_late(): the rest counts */
};

struct alpaca_http;

/* Prepares requests to this server; sends nothing.  host must outlive it.  ERR_NOMEM; ERR_IO
 * when the HTTP library is not installed. */
enum err_code alpaca_http_create(const char *server, int port, const struct driver_host *host,
	struct alpaca_http **out, struct err *err);
/* Closes all connections, whatever is out; never waits.  NULL is fine. */
void alpaca_http_destroy(struct alpaca_http *http);

/* Sends a request and waits for its answer; any status of HTTP is ERR_OK.
 *   ERR_IO         nobody listens there, the connection broke, or the host is not known
 *   ERR_TIMEOUT    no complete answer by the deadline; an ORDER stays out when it was sent
 *   ERR_CANCELLED  something urgent came up: before it was sent, or (an ORDER stays out) while it was waited for
 *   ERR_PROTOCOL   what answers does not speak HTTP, or answered too much; what the sink said
 *   ERR_INVALID_OPERATION  the lane's last ORDER is still out
 *   ERR_NOMEM */
enum err_code alpaca_http_call(struct alpaca_http *http, const struct alpaca_request *request,
	struct alpaca_response *out, struct err *err);

/* Whether an ORDER is still out. */
bool alpaca_http_is_late(const struct alpaca_http *http);
/* Waits until deadline_ms for the ORDER that stayed out; out->came says that it was answered.  ERR_OK too while it is
 * still out; ERR_CANCELLED when something urgent came up and it is not `patient`; its failure otherwise, after which it
 * is out no more; ERR_TIMEOUT is that of an order which nobody has answered for 20 s. */
enum err_code alpaca_http_late(struct alpaca_http *http, int64_t deadline_ms, bool patient,
	struct alpaca_response *out, struct err *err);
/* Waits, while an ORDER that is out goes on; ERR_CANCELLED as soon as something is urgent. */
enum err_code alpaca_http_pause(struct alpaca_http *http, int64_t until_ms, struct err *err);

/* "host:port", for people. */
const char *alpaca_http_name(const struct alpaca_http *http);

#endif
