/* SPDX-License-Identifier: MIT */
/*
 * The inside of the Alpaca part: one call with everything that a handler needs, the rows of the route table, and the
 * replies. Handlers are a few lines each: they ask core and reply. They run on HTTP threads and never wait.
 */
#ifndef FOCUSD_ALPACA_CALL_H
#define FOCUSD_ALPACA_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alpaca.h"
#include "holds.h"
#include "image.h"
#include "starts.h"

/* ---- requests ---- */

enum param_type { PARAM_NONE, PARAM_BOOL, PARAM_I32, PARAM_DOUBLE, PARAM_STRING };

#define ALPACA_MAX_PARAMS 2

struct param {
	const char *name;
	enum param_type type;
	bool optional; /* the parameter may be absent, which counts as empty; strings only */
};

/* A checked parameter. */
struct param_value {
	bool b;
	int32_t i;
	double d;
	char *s; /* PARAM_STRING; owned by the call */
};

/* ---- kinds of devices ---- */

/* A kind of device as Alpaca shows it. */
struct alpaca_kind {
	const struct device_kind *kind;
	unsigned bit; /* the kind's bit in struct route, which says whether a row is a member of it */
	/* Writes what the connected device says it is, "" when it says nothing; cap includes the final 0. */
	void (*describe)(struct device *dev, char *text, size_t cap);
};

/* Finds a row by its kind, or by a name as it stands in addresses; NULL when there is none. */
const struct alpaca_kind *alpaca_kind_of(const struct device_kind *kind);
const struct alpaca_kind *alpaca_kind_named(struct span name);
/* Writes the names of all kinds, joined by `between`, and returns text. */
const char *alpaca_kind_names(const char *between, char *text, size_t cap);

/* ---- paths ---- */

/* The parts of /api/v1/{kind}/{number}/{member}. The spans are borrowed from the path. */
struct alpaca_path {
	const struct alpaca_kind *kind;
	uint32_t number;
	struct span member;
};

/* Splits a path.  On failure *err says what was wrong and what would be right. */
enum err_code alpaca_path_parse(const char *path, struct alpaca_path *out, struct err *err);

/* ClientID and ClientTransactionID; 0 where absent. */
struct alpaca_ids {
	uint32_t client;
	uint32_t transaction;
};

/* Reads the ids from the query (any case) or a body (exact case). ERR_INVALID_VALUE when one is given that is no number
 * in range. */
enum err_code alpaca_ids_parse(
	struct span form, bool any_case, struct alpaca_ids *out, struct err *err);

/* Reads and checks one parameter; out->s is allocated for a string.  ERR_INVALID_VALUE: missing,
 * misspelt or unparsable; ERR_NOMEM. */
enum err_code alpaca_param_parse(const struct http_request *req, const struct param *param,
	struct param_value *out, struct err *err);

/* ---- the table ---- */

struct call;
typedef enum http_result (*alpaca_fn)(struct call *call);

/* Which devices have the member. */
enum { ROUTE_FOCUSER = 1, ROUTE_CAMERA = 2, ROUTE_ANY = 3 };

/* The type of Value, which decides what stands there in an error reply. */
enum value_type {
	VALUE_NONE,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_DOUBLE,
	VALUE_STRING,
	VALUE_ARRAY,
	VALUE_IMAGE
};

enum {
	ROUTE_LINK = 1 << 0,  /* the client must be connected; else 0x407 */
	ROUTE_ABOVE_ZERO = 1 << 1, /* of a field: the camera knows it only when it is finite and above 0 */
};

struct route {
	unsigned devices;
	const char *member;
	enum http_verb verb; /* HTTP_GET or HTTP_PUT */
	enum value_type value;
	unsigned flags;
	alpaca_fn handler;  /* NULL: not implemented */
	const char *absent; /* the sentence that says why there is no handler, or why the field is not there */
	struct param param[ALPACA_MAX_PARAMS];
	/* For camera_get_field() and camera_put_setting(). */
	uint16_t at;        /* offset of the field in struct camera_state; `value` decides its type */
	uint16_t has;       /* offset of the flag that says whether the camera has it; 0: every camera has */
	uint8_t setting;    /* enum camera_setting */
};

extern const struct route alpaca_routes[];
extern const size_t alpaca_route_count;

/* ---- a call ---- */

/* How far the length of a frame's JSON text is counted; zeroed at first. */
struct image_count {
	size_t next;     /* element */
	uint64_t length; /* index of the next element */
};

/* A client that is being sent a frame: with a reference to it and an entry among the readers of pictures. It is no
 * reader when frame is NULL. */
struct image_reader {
	struct frame *frame;
	struct holds *holds;
};

/* What a waiting call keeps between its turns, in http_wait.data. */
struct alpaca_wait {
	uint32_t server_transaction;
	int step;    /* this and what follows belongs to the handler */
	uint64_t ticket;
	int64_t deadline_ms;
	struct image_reader reader; /* of the frame whose length the call counts */
	struct image_count count;
};

struct call {
	struct alpaca *alpaca;
	const struct served *served;
	const struct http_request *req;
	struct http_response *res;
	const struct route *route; /* NULL in management calls */
	struct device *dev;
	const struct device_info *info;
	struct client client;
	struct alpaca_ids ids;
	uint32_t server_transaction;
	struct param_value value[ALPACA_MAX_PARAMS];
	struct alpaca_wait *wait; /* NULL on the first turn */
	bool started;             /* set by a handler when the call has started something; see start_is_repeated() */
};

struct alpaca {
	const struct served *served;
	_Atomic uint32_t transactions;
	struct starts *starts;
	struct holds *image_readers;
	const struct route **index; /* the rows sorted by member */
};

/* Lets the call wait: the handler is called again with call->wait set, at deadline_ms of clock_real() at the latest.
 * Returns HTTP_WAIT, or an error reply when out of memory. */
enum http_result call_wait(struct call *call, int step, uint64_t ticket, int64_t deadline_ms);

/* Whether the deadline of a waiting call has passed. */
bool call_is_late(const struct call *call);

/* ---- calls that start something; call_start.c ---- */

/* The number of what goes on with the device of the call, is of the kind that the call starts, and has not been asked
 * to end by anybody; 0 when there is no such thing. No number comes twice. */
typedef uint64_t (*ongoing_fn)(struct call *call);

/* Whether the call only repeats the PUT that started what goes on (see starts.h); the first answer has been given then,
 * and HTTP_DONE is the result. If not, the caller carries the call out without waiting, sets call->started when that
 * went well, and calls start_over() with the reply in place. Other starts wait meanwhile. */
bool start_is_repeated(struct call *call, ongoing_fn ongoing);
void start_over(struct call *call, ongoing_fn ongoing);

/* ---- replies; all return HTTP_DONE ---- */

enum http_result reply_ok(struct call *call);
enum http_result reply_bool(struct call *call, bool value);
enum http_result reply_int(struct call *call, int64_t value);
/* Replies with a number; one that is not finite becomes the error 0x402. */
enum http_result reply_double(struct call *call, double value);
enum http_result reply_string(struct call *call, const char *value);
/* Replies with this JSON text as Value and frees it. */
enum http_result reply_json(struct call *call, struct buf *value);
enum http_result reply_error(struct call *call, const struct err *err);
enum http_result reply_failure(struct call *call, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Replies as reply_ok() or reply_error() does, by code. */
enum http_result reply_result(struct call *call, enum err_code code, const struct err *err);

/* Appends ,"ClientTransactionID":...,"ErrorMessage":"..."} to out; err is NULL for success. */
void reply_tail(const struct call *call, const struct err *err, struct buf *out);

/* ---- handlers, by file ---- */

/* actions.c */
enum http_result common_action(struct call *call);
enum http_result common_supportedactions(struct call *call);

/* common.c */
enum http_result common_connected(struct call *call);
enum http_result common_set_connected(struct call *call);
enum http_result common_connect(struct call *call);
enum http_result common_disconnect(struct call *call);
enum http_result common_connecting(struct call *call);
enum http_result common_description(struct call *call);
enum http_result common_driverinfo(struct call *call);
enum http_result common_driverversion(struct call *call);
enum http_result common_interfaceversion(struct call *call);
enum http_result common_name(struct call *call);

/* focuser.c */
enum http_result focuser_get_devicestate(struct call *call);
enum http_result focuser_get_absolute(struct call *call);
enum http_result focuser_get_ismoving(struct call *call);
enum http_result focuser_get_maxincrement(struct call *call);
enum http_result focuser_get_maxstep(struct call *call);
enum http_result focuser_get_position(struct call *call);
enum http_result focuser_get_stepsize(struct call *call);
enum http_result focuser_get_tempcomp(struct call *call);
enum http_result focuser_put_tempcomp(struct call *call);
enum http_result focuser_get_tempcompavailable(struct call *call);
enum http_result focuser_get_temperature(struct call *call);
enum http_result focuser_put_halt(struct call *call);
enum http_result focuser_put_move(struct call *call);

/* camera.c */
enum http_result camera_get_devicestate(struct call *call);
enum http_result camera_get_no(struct call *call); /* false */
enum http_result camera_get_field(struct call *call);   /* at, has of the row */
enum http_result camera_put_setting(struct call *call); /* setting, has of the row */
enum http_result camera_get_ccdtemperature(struct call *call);
enum http_result camera_get_coolerpower(struct call *call);
enum http_result camera_get_heatsinktemperature(struct call *call);
enum http_result camera_get_ispulseguiding(struct call *call);
enum http_result camera_put_pulseguide(struct call *call);
enum http_result camera_put_setccdtemperature(struct call *call);
enum http_result camera_get_bayeroffsetx(struct call *call);
enum http_result camera_get_bayeroffsety(struct call *call);
enum http_result camera_get_camerastate(struct call *call);
enum http_result camera_get_imageready(struct call *call);
enum http_result camera_get_lastexposureduration(struct call *call);
enum http_result camera_get_lastexposurestarttime(struct call *call);
enum http_result camera_get_percentcompleted(struct call *call);
enum http_result camera_get_readoutmodes(struct call *call);
enum http_result camera_put_abortexposure(struct call *call);
enum http_result camera_put_startexposure(struct call *call);
enum http_result camera_put_stopexposure(struct call *call);

/* imagearray.c */
enum http_result camera_get_imagearray(struct call *call);

/* image_reader.c */
/* Makes the account of those who read pictures; NULL when out of memory. */
struct holds *image_readers_create(void);
/* Makes the client of this call a reader of a frame of the call's camera, and takes over the reference, also on
 * failure: ERR_INVALID_OPERATION with a sentence when too many pictures are read, or by too many. */
enum err_code image_reader_begin(struct call *call, struct frame *frame, struct image_reader *out, struct err *err);
/* Drops the reference and the entry; the reader is none then. Fine for no reader. */
void image_reader_end(struct image_reader *reader);

/* Whether an Accept header (may be NULL) asks for application/imagebytes. */
bool image_wants_bytes(const char *accept);
/* The value of an element as clients get it in either form. An element that is missing (not finite) becomes 0, because
 * JSON has no word for that and few clients can handle NaN. */
double image_published(const struct frame *frame, size_t index);
/* Makes the response send the reader's frame as ImageBytes; takes over the reader, also on failure (ERR_NOMEM). */
enum err_code image_stream_bytes(struct image_reader *reader, uint32_t client_transaction,
	uint32_t server_transaction, struct http_response *res);
/* Counts on for a fraction of a millisecond; true when the length of the frame's text is known. In imagejson.c. */
bool image_count_on(const struct frame *frame, struct image_count *count);
/* Makes the response send the reader's frame as text, in the same way. text_length is image_count.length when all is
 * counted; tail is what reply_tail() wrote, and is copied. */
enum err_code image_stream_json(struct image_reader *reader, uint64_t text_length, const char *tail,
	struct http_response *res);

/* Answers everything below /management. In management.c. */
enum http_result management_handle(
	struct alpaca *alpaca, const struct http_request *req, struct http_response *res);

/* The number of this reply, from 1 on and never 0; request.c and routes.c share it. */
uint32_t alpaca_next_transaction(struct alpaca *alpaca);

#endif
