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
	/* Whether CTS is up; a pipe without such a line says yes.  NULL: there is none. */
	enum err_code (*read_cts)(struct transport *t, bool *up, struct err *err);
	/* Waits until all that was written has left the computer, as far as can be known.
	 * ERR_TIMEOUT, ERR_IO.  NULL: it always has. */
	enum err_code (*drain)(struct transport *t, int64_t deadline_ms, struct err *err);
	/* A name for people, valid as long as the transport: "/dev/pts/3". */
	const char *(*describe)(struct transport *t);
	/* Closes and frees. */
	void (*destroy)(struct transport *t);
};

/* Implementations put this first. */
struct transport {
	const struct transport_ops *ops;
};

/*
 * How a port is opened; zeroed but for the rate is right for most devices.
 *
 * Opening a serial port raises DTR and RTS, no program can prevent it, and on most Arduino boards
 * the rising edge of DTR resets the controller.  We close without lowering them (HUPCL is cleared),
 * so only the first opening since the plug went in resets; after any that may have (see
 * transport_can_reset()) the board is given its time by core (open_wait_ms).
 */
struct transport_settings {
	int baud;             /* 9600, 19200, ... always 8N1 without flow control */
	bool dtr_low;         /* lower DTR at once after opening; else it stays up */
	bool rts_low;         /* lower RTS at once after opening; else it stays up */
};

/* Opens where: "/dev/..." (symbolic links are resolved; a pseudo terminal goes through termios,
 * anything else through the serial port library, exclusively), or "tcp://host:port".  deadline_ms
 * bounds a TCP connect.  Ownership of *out passes to the caller (ops->destroy). */
enum err_code transport_open(const char *where, const struct transport_settings *settings,
	int64_t deadline_ms, struct transport **out, struct err *err);

/* Whether the text can be the name of a port, as transport_open() takes it: ERR_INVALID_VALUE with a sentence that says
 * what is wrong with it and what would be right.  Pure. */
enum err_code transport_read_name(const char *where, struct err *err);
/* The same, and whether the port is there at this moment and can be one: ERR_IO.  Opens nothing; a host on the network
 * is not asked. */
enum err_code transport_look(const char *where, struct err *err);

/* Whether opening this port may reset a controller behind it (the DTR edge of a serial port does on
 * most Arduino boards); false for pseudo terminals and TCP. */
bool transport_can_reset(const char *where);

/* Whether the rate matters at this port: not on a USB device that is a serial port itself (CDC-ACM,
 * /dev/ttyACM*), which may ignore what it is told.  A link is followed; what is not there just now is judged
 * by its own name.  Opens nothing; any thread. */
bool transport_rate_matters(const char *where);

/* Who may talk on a bus where only one may at a time (Celestron's AUX port through RS-232). */
enum transport_turn {
	TRANSPORT_TURN_NONE,    /* no turns: everybody has a line of his own */
	TRANSPORT_TURN_RTS,     /* RTS up while we talk; nobody answers with CTS */
	TRANSPORT_TURN_RTS_CTS, /* RTS up, then wait for CTS before talking */
};

/* Raises RTS, waits up to 100 ms for CTS where that is wanted, lowers RTS and tries again after 10
 * to 50 ms when the bus is busy, writes everything, waits until it has left and lowers RTS, whatever
 * happened.  DTR stays up.  A pipe without these lines just writes.  ERR_TIMEOUT with nothing
 * written when the bus stayed busy until deadline_ms; ERR_IO. */
enum err_code transport_write_in_turn(struct transport *t, enum transport_turn turn,
	const void *data, size_t len, int64_t deadline_ms, struct err *err);

#endif
