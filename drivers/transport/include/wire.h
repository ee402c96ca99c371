/* SPDX-License-Identifier: MIT */
/*
 * What every driver with a port holds: the pipe, the exchange on it, and whether the line was listened to
 * before the first byte was sent.  One thread, the device's worker.
 */
#ifndef FOCUSD_WIRE_H
#define FOCUSD_WIRE_H

#include "driver_host.h"
#include "exchange.h"
#include "transport.h"

/* Part of the driver's context; zeroed means closed.  It stays where it was opened. */
struct wire {
	struct transport *pipe; /* owned; NULL while closed */
	struct exchange x;
	int64_t opened_ms;      /* clock_real() */
	bool heard_out;         /* nobody talks on this line who should not be talked to */
};

/* Opens the port within 1.8 s, lets the host see every byte and cut questions short, and sends nothing.
 * gap_ms as in exchange_init(); the options of w->x may be set afterwards.  where and settings as for
 * transport_open(); host must outlive the wire.  The errors of transport_open(). */
enum err_code wire_open(struct wire *w, const char *where, const struct transport_settings *settings, int gap_ms,
	const struct driver_host *host, struct err *err);

/* Closes; fine when not open.  The DTR line stays as it is, so that no board is reset by it. */
void wire_close(struct wire *w);

/* ERR_NOT_CONNECTED with a sentence while closed. */
enum err_code wire_require_open(const struct wire *w, struct err *err);

/* Before the first question: listens until 200 ms after the port was opened, at most to the deadline, and
 * refuses who talks unasked, see talker.h.  Once that went well, nothing. */
enum err_code wire_hear_out(struct wire *w, int64_t deadline_ms, struct err *err);

/* The name of the open port for people: "/dev/ttyUSB0". */
const char *wire_name(const struct wire *w);

/* The reason for a device that has not said a word to us since the port was opened: names what people can check,
 * which a driver's later questions do not.  code is ERR_TIMEOUT (nothing came) or ERR_PROTOCOL (something else came,
 * and *err says what); any other is returned with *err as it is.  hint, "" or "; ..." for the end of the sentence, says
 * what this kind of device may need besides. */
enum err_code wire_not_found(const struct wire *w, enum err_code code, const char *hint, struct err *err);

/* Whether something urgent waits for the call that is running: a driver that is about to start a motor looks
 * once more, since a halt that came meanwhile must not be answered with a start. */
bool wire_urgent(const struct wire *w);

#endif
