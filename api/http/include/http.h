/* SPDX-License-Identifier: MIT */
/*
 * Requests, responses and streams as plain values, between whoever answers and the files that
 * know the HTTP library (http_mhd*.c).  A handler runs on an HTTP thread and never waits: it answers,
 * or says HTTP_WAIT and is called again with the same request when something changed or its deadline
 * passed.
 *
 * The same threads carry the halt of a motor: no call of a handler or of a stream lasts longer than a fraction of a
 * millisecond, whatever the request.  What takes longer goes in turns (HTTP_WAIT with a deadline that has passed
 * comes back at once, behind what else is to be done) or to a thread of its own.  --log-level debug names the calls
 * that took more than a millisecond.
 */
#ifndef FOCUSD_HTTP_H
#define FOCUSD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "text.h"

enum http_verb { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_OTHER };

/* What a handler keeps over the calls of one waiting request; zeroed before the first. */
struct http_wait {
	bool resumed;            /* not the first call */
	int64_t deadline_ms;     /* set by the handler with HTTP_WAIT; on clock_real() */
	uint64_t ticket[2];      /* the handler's own */
	void *data;              /* the handler's own, until the end of the request */
	void (*release)(void *data); /* ends data, unless it is NULL; when not set, free() does */
};

/* One request.  Everything in it is borrowed for the duration of the call. */
struct http_request {
	enum http_verb verb;
	const char *verb_text;
	const char *path;        /* percent-decoded, NUL-terminated */
	struct span query;       /* raw, without '?' */
	struct span body;        /* raw */
	const char *content_type;/* "" when absent */
	char peer[64];           /* address without port */
	const char *(*header)(const struct http_request *req, const char *name); /* NULL when absent */
	struct http_wait *wait;
	void *backend;           /* http_mhd*.c's own */
};

/* A body produced while it is sent.  read fills at most max bytes from offset pos and returns how
 * many; HTTP_STREAM_LATER: nothing now, ask again when something was published (or wake_ms passed);
 * HTTP_STREAM_END.  release is called exactly once at the end, also when the peer left. */
#define HTTP_STREAM_END (-1)
#define HTTP_STREAM_LATER (-2)
struct http_stream {
	ssize_t (*read)(void *arg, uint64_t pos, char *out, size_t max);
	void (*release)(void *arg);
	void *arg;
	int64_t size;            /* bytes, -1 unknown (chunked) */
	size_t block;            /* wished block size */
	int wake_ms;             /* with LATER: ask again at the latest after this; 0 = never */
};

struct http_response {
	int status;              /* 200, 400, ... */
	const char *content_type;/* static */
	int header_count;
	const char *header_name[8]; /* static names, values copied */
	struct buf body;         /* taken over by the server */
	const void *static_body; /* used instead of body when not NULL: lives for ever */
	size_t static_len;
	struct http_stream stream; /* used instead when read is set */
	char header_value[8][160]; /* the first header_count are set; last, for it is not zeroed */
};

enum http_result { HTTP_DONE, HTTP_WAIT };

/* res is zeroed before each call, but for header_value; whoever writes to body calls buf_init() first.
 * What a call that answers HTTP_WAIT left in res is thrown away. */
typedef enum http_result (*http_handler)(void *arg, const struct http_request *req,
	struct http_response *res);

/* Plain text answer with a status and a printf text. */
void http_text(struct http_response *res, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a header.  At most 8 are kept, more are dropped; name is static, value is copied and cut at 159 bytes. */
void http_add_header(struct http_response *res, const char *name, const char *value);

/* The value of a query or form field: names compared exactly or without case.  Decodes + and %XX
 * into out (NUL-terminated).  0 found, -1 absent, -2 too long or not decodable or not UTF-8. */
int http_field(struct span form, const char *name, bool any_case, char *out, size_t cap);

/* An answer that keeps memory until its client has taken it (a body, or a stream of known size) has to be taken at this
 * rate, bytes a second.  Whoever falls 20 s behind it while bytes wait to be taken is reset, and the log says so;
 * otherwise a client could keep a frame for ever. */
#define HTTP_LEAST_RATE 16000

struct http_server;

struct http_options {
	const char *bind;        /* the addresses to listen on, as bind_list.h says; "" = all, IPv4 and IPv6 */
	int port;                /* of all of them; 0 = a free one */
	/* Extra names accepted in Host, separated by commas or blanks.  Pages under these names, with any port and by
	 * http or https, may ask for everything here and read it (CORS, without credentials). */
	const char *allowed_hosts;
	const char *server_name; /* accepted in Host as well */
	bool (*is_page)(const char *path); /* whether people go there with a browser; NULL: nowhere.  Any thread. */
	int request_timeout_ms;  /* from a request's first byte to its last; 0 = 10 s */
	int behind_ms;           /* how far clients may fall behind HTTP_LEAST_RATE; 0 = 20 s */
};

/* Whether the text can stand in http_options.bind: ERR_INVALID_VALUE with a sentence that says what would be right.
 * Pure.  The second says in addition whether this machine has the addresses at this moment (ERR_IO).  Any thread. */
enum err_code http_bind_read(const char *bind_to, struct err *err);
enum err_code http_bind_look(const char *bind_to, struct err *err);

/* Starts the server threads.  Addresses that this machine does not have at this moment are tried again every two
 * seconds, and the log says so; the others are served meanwhile.  ERR_INVALID_VALUE when bind is no list of addresses;
 * ERR_IO when a port is taken or forbidden (the text names who or what). */
enum err_code http_server_start(const struct http_options *options, http_handler handler, void *arg,
	struct http_server **out, struct err *err);

/* Whether it listens on loopback only: then discovery answers loopback only. */
bool http_server_is_loopback(const struct http_server *server);
/* Whether it listens on any address yet.  Once true it stays so.  Any thread, as the next two. */
bool http_server_is_open(const struct http_server *server);
/* The port; 0 before the server is open. */
int http_server_port(const struct http_server *server);
/* Writes the URL of the first address that was there ("http://[::1]:11111/"); 128 bytes suffice.  When it is open. */
void http_server_url(const struct http_server *server, char *out, size_t cap);

/* Calls every waiting handler and stream again soon.  Cheap; any thread, also under other locks. */
void http_server_wake(struct http_server *server);

/* Counts for /metrics: requests answered with each status class 1xx..5xx. */
void http_server_counts(struct http_server *server, uint64_t by_class[6]);

/* Ends waiting requests and streams, stops, joins, frees. */
void http_server_stop(struct http_server *server);

#endif
