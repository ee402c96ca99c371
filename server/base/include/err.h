/* SPDX-License-Identifier: MIT */
/*
 * The one error type.  A function that can fail returns an enum err_code (ERR_OK is 0), fills the
 * caller's struct err where the detail is known, and leaves its other outputs untouched.
 */
#ifndef FOCUSD_ERR_H
#define FOCUSD_ERR_H

/* Why something failed.  Each code maps to one Alpaca ErrorNumber, see err_alpaca_number(). */
enum err_code {
	ERR_OK = 0,
	ERR_NOT_IMPLEMENTED,        /* op absent, capability missing */
	ERR_INVALID_VALUE,          /* well-formed but unacceptable value */
	ERR_VALUE_NOT_SET,          /* no valid reading yet */
	ERR_NOT_CONNECTED,          /* the device is not connected (for this client) */
	ERR_INVALID_OPERATION,      /* leased, busy, wrong state */
	ERR_ACTION_NOT_IMPLEMENTED, /* a custom action of that name does not exist */
	ERR_CANCELLED,              /* halted, aborted, superseded */
	ERR_INTERNAL,               /* our own fault */
	ERR_NOMEM,                  /* out of memory */
	ERR_IO,                     /* the port is gone or refuses */
	ERR_TIMEOUT,                /* silence until the deadline */
	ERR_PROTOCOL,               /* bytes that the protocol does not allow */
	ERR_REFUSED,                /* the device understood and said no */
	ERR_STALLED,                /* the motor does not move or does not arrive */
	ERR_NO_STARS,               /* autofocus: nothing to measure */
	ERR_BAD_FIT,                /* autofocus: no acceptable curve */
	ERR_NO_MINIMUM,             /* autofocus: no minimum within reach */
	ERR_VALIDATION,             /* autofocus: the final frame disagrees with the curve */
	ERR_FOCUSER,                /* autofocus: the focuser failed */
	ERR_CAMERA,                 /* autofocus: the camera failed */
	ERR_CODE_COUNT              /* number of codes, not a code */
};

/* Room for one sentence for a person at a telescope; longer text is cut at a character boundary. */
struct err {
	enum err_code code;
	/* The ErrorNumber, 0x400..0xFFF, that another Alpaca server gave and that clients get as it is; 0: the one that
	 * belongs to the code.  err_set() makes it 0. */
	int number;
	char text[240];
};

/* Fills err (may be NULL) from a printf format and returns code, so that a failure is one line:
 * return err_set(err, ERR_REFUSED, "controller answered %s to GOTO", hex); */
enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__
/* clang-tidy sees one file at a time and must be told what comes back. */
#define err_set(err, code, ...) ((void)(err_set)(err, code, __VA_ARGS__), (code))
#endif

/* Copies from into err (may be NULL) and returns its code. */
enum err_code err_copy(struct err *err, const struct err *from);

/* The code's short name, for example "timeout"; static storage.  For logs and metrics labels. */
const char *err_name(enum err_code code);

/* The ErrorNumber on the Alpaca wire: 0 for ERR_OK, 0x400..0x40E, 0x4FF, 0x500..0x515.
 * Source: Alpaca API Reference, error numbers; 0x500 and above are focusd's own. */
int err_alpaca_number(enum err_code code);

/* The ErrorNumber of this failure: err->number when another server gave one, else that of its code. */
int err_number(const struct err *err);

#endif
