/* SPDX-License-Identifier: MIT */
/*
 * One device of another Alpaca server, as its client: finding it, connecting it, asking it, letting go of it.  What
 * the focuser and the camera driver share.  On the device's worker only.
 */
#ifndef FOCUSD_ALPACA_CLIENT_H
#define FOCUSD_ALPACA_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "alpaca_answer.h"
#include "alpaca_http.h"
#include "alpaca_place.h"
#include "driver_host.h"

/* Whether anybody else speaks to the server: it numbers all requests that it gets, and we know how many are ours. */
struct alpaca_census {
	_Atomic uint32_t *sent;   /* requests of all devices of this focusd to that server; NULL: not counted */
	uint32_t before;          /* ours, before they could be counted there */
	bool begun, uncounted;
	int32_t lowest;           /* what the server's number was ahead of ours, at the least */
	int64_t foreign_ms;       /* when a request of somebody else was last noticed, clock_real(); 0 never */
};

/* Part of a driver's context; zeroed means closed. */
struct alpaca_client {
	const struct driver_host *host;
	const char *type;         /* as in URLs: "focuser" */
	struct alpaca_place place; /* as configured */
	struct alpaca_http *http; /* NULL until the server is found */
	int number;               /* of the device there */
	char name[96];            /* the device's, for people; "" unknown */
	char unique_id[96];       /* "" when the server does not tell */
	uint32_t client_id, transaction;
	int interface_version;    /* 0 until it was asked */
	bool asked;               /* we have told it to connect */
	bool linked;              /* it has said that it is connected */
	bool ours;                /* it was not when we came: the connection is our doing */
	bool gone;                /* the server did not answer any more */
	struct alpaca_census census;
};

/* Reads the configuration; sends nothing.  type is "focuser" or "camera"; host must outlive the client.
 * ERR_INVALID_VALUE. */
enum err_code alpaca_client_open(struct alpaca_client *c, const char *type, const char *port, const char *device,
	const struct driver_host *host, struct err *err);

/* One try to find the device and to have it connected, until deadline_ms of clock_real(); to be repeated, since what
 * was reached is kept.  Never ends or disturbs what others do with it.
 *   ERR_NOT_CONNECTED      while closed
 *   ERR_TIMEOUT            not yet; ERR_IO nobody is there
 *   ERR_INVALID_OPERATION  it is a device of this very server
 *   ERR_INVALID_VALUE      there is no such device, or there are several to choose from: the sentence names them
 *   or why it does not connect, in the other server's words */
enum err_code alpaca_client_link(struct alpaca_client *c, int64_t deadline_ms, struct err *err);

/* Lets go: ends the connection of the device to its hardware if that is our doing and nobody else was heard of on that
 * server for ten minutes, and closes everything.  At most a second; fine when not open. */
void alpaca_client_close(struct alpaca_client *c);

/* Asks for a member.  Errors of alpaca_http_call() and alpaca_answer_read(); ERR_IO, too, when the other server says
 * that the device is not connected any more. */
enum err_code alpaca_get_bool(struct alpaca_client *c, const char *member, int64_t deadline_ms, bool *out,
	struct err *err);
enum err_code alpaca_get_int(struct alpaca_client *c, const char *member, int64_t deadline_ms, int32_t *out,
	struct err *err);
enum err_code alpaca_get_double(struct alpaca_client *c, const char *member, int64_t deadline_ms, double *out,
	struct err *err);
/* Any value; the caller ends it with alpaca_answer_fini(). */
enum err_code alpaca_get(struct alpaca_client *c, const char *member, int64_t deadline_ms, struct alpaca_answer *out,
	struct err *err);

/* Sends a PUT on this lane; fields is "Position=100", "" none.  On lane ASK it does not give way to what is urgent. */
enum err_code alpaca_put(struct alpaca_client *c, enum alpaca_lane lane, const char *member, const char *fields,
	int64_t deadline_ms, struct err *err);

/* What became of the order that stayed out; waits until deadline_ms.  *came says that it is out no more: then the
 * return value is what alpaca_put() would have returned. */
enum err_code alpaca_client_late(struct alpaca_client *c, int64_t deadline_ms, bool *came, struct err *err);

/* The request path of a member, and the two ids that every request carries. */
void alpaca_client_path(const struct alpaca_client *c, const char *member, char *out, size_t cap);
void alpaca_client_ids(struct alpaca_client *c, char *out, size_t cap);
/* Counts an answer that carried this ServerTransactionID. */
void alpaca_client_heard(struct alpaca_client *c, uint32_t server_id);

#endif
