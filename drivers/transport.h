/* SPDX-License-Identifier: MIT */
/*
 * A pipe of bytes to a device: a serial port, a pseudo terminal, a TCP connection, a test script.
 * One thread at a time.  Deadlines are absolute on clock_real(), so that retries cannot stretch
 * them.
 */
#ifndef FOCUSD_TRANSPORT_H
#define FOCUSD_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct transport;

struct transport_ops {
	const char *name;
	/* Writes all of it.  ERR_TIMEOUT, ERR_IO (the device is gone). */
	enum err_code (*write_all)(struct transport *t, const void *data, size_t len,
		int64_t deadline_ms, struct err *err);
	/* Reads what is there, at least one byte.  ERR_TIMEOUT at the deadline with *got = 0, ERR_IO
	 * when the device is gone (end of file counts as gone, at once). */
	enum err_code (*read_some)(struct transport *t, void *out, size_t cap, size_t *got,
		int64_t deadline_ms, struct err *err);
	/* Throws away what was received and not read. */
	enum err_code (*discard_input)(struct transport *t, struct err *err);
	/* Sets DTR and RTS; a pipe without such lines answers ERR_OK and does nothing. */
	enum err_code (*set_lines)(struct transport *t, bool dtr, bool rts, struct err *err);
	/* A name for people, valid as long as the transport: "/dev/pts/3". */
	const char *(*describe)(struct transport *t);
	/* Closes and frees. */
	void (*destroy)(struct transport *t);
};

/* Implementations put this first. */
struct transport {
	const struct transport_ops *ops;
};

struct transport_settings {
	int baud;             /* 9600, 19200, ... always 8N1 without flow control */
};

/* Opens where: "/dev/..." (symbolic links are resolved; a pseudo terminal goes through termios,
 * anything else through the serial port library, exclusively), or "tcp://host:port".  deadline_ms
 * bounds a TCP connect.  Ownership of *out passes to the caller (ops->destroy). */
enum err_code transport_open(const char *where, const struct transport_settings *settings,
	int64_t deadline_ms, struct transport **out, struct err *err);

/* Whether opening this port may reset a controller behind it (the DTR edge of a serial port does on
 * most Arduino boards); false for pseudo terminals and TCP. */
bool transport_can_reset(const char *where);

#endif
