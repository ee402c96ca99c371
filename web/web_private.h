/* SPDX-License-Identifier: MIT */
/* What the files of this room share.  Everything here runs on an HTTP thread unless it says so. */
#ifndef FOCUSD_WEB_PRIVATE_H
#define FOCUSD_WEB_PRIVATE_H

#include <pthread.h>

#include "autofocus.h"
#include "camera.h"
#include "clock.h"
#include "focuser.h"
#include "holds.h"
#include "json.h"
#include "log.h"
#include "renderer.h"
#include "web.h"

/* Rendered pictures kept and being made. */
#define WEB_PREVIEW_SLOTS 8

/* Which picture: part_w 0 means the whole frame. */
struct preview_key {
	int camera;
	uint64_t serial;
	int32_t x, y, part_w, part_h;
};

/* A rendered picture, sent to several clients from the same memory. */
struct picture;

enum preview_slot_state { PREVIEW_FREE, PREVIEW_WANTED, PREVIEW_RENDERING, PREVIEW_DONE };

struct preview_slot {
	enum preview_slot_state state;
	struct preview_key key;
	struct frame *frame;    /* own reference while WANTED or RENDERING */
	struct picture *picture; /* own reference; NULL in a DONE slot: out of memory */
	uint64_t last_use;
};

struct web {
	const struct served *served;
	struct clock *clock;    /* what streams pace themselves by: the real one, but for tests */
	int64_t started_utc_ms;
	pthread_t thread;
	struct renderer *renderer; /* of the thread */
	pthread_mutex_t lock;   /* everything below; a leaf but for http_server_wake() */
	pthread_cond_t cond;
	bool stopping;
	struct http_server *server;
	int64_t wake_at_ms;     /* on clock_real(); CLOCK_NEVER when no stream waits for it */
	struct preview_slot slots[WEB_PREVIEW_SLOTS];
	uint64_t uses;
	struct holds *picture_readers; /* of rendered pictures */
	struct log_lasting history_failures; /* what the log was told of a history that cannot be read */
};

/* What stands now of [server]: a copy. */
void web_server_settings(struct web *web, struct config_server *out);

/* One embedded file. */
struct web_asset {
	const char *path;       /* "/status.js" */
	const char *content_type;
	const char *etag;       /* quoted hash of the content */
	const unsigned char *data; /* gzip */
	size_t len;
	size_t plain_len;
};
extern const struct web_asset web_assets[];
extern const size_t web_asset_count;

/* Answers when the path is an embedded file; false when it is not. */
bool pages_asset(const struct http_request *req, struct http_response *res);

/*
 * Each answers the requests of one row of the table of routes in web.c; `rest` is the path behind the row's own
 * part, "" when there is nothing more.  HTTP_WAIT as http.h says.
 */
enum http_result sse_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);
enum http_result metrics_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);
enum http_result setup_server_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);
enum http_result setup_device_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);
enum http_result preview_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);
enum http_result runs_list_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);
enum http_result runs_one_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res);

/* The room's own thread: renders one wanted picture, called and returning with web->lock held.
 * False when nothing was wanted. */
bool preview_work(struct web *web);
/* Before the thread runs; false when out of memory. */
bool preview_init(struct web *web);
/* When no stream is left; fine for a web that is zeroed. */
void preview_fini(struct web *web);

/* The whole frame (key->part_w 0) or a part as JPEG in malloc memory; -1 when out of memory.  Pure;
 * any thread. */
int preview_render(const struct frame *frame, const struct preview_key *key, unsigned char **jpeg,
	size_t *len);

/* Appends the JSON object of one device, of any type. */
void state_json_device(struct web *web, struct device *dev, struct buf *out);
/* Appends the snapshot of all: {"server":{...},"devices":[...]}. */
void state_json_all(struct web *web, struct buf *out);

/* Asks for http_server_wake() in so many milliseconds, or earlier. */
void web_wake_in(struct web *web, int64_t delay_ms);

/* A device number as Alpaca paths have it: digits without leading zeros.  -1 when it is not; *end
 * is behind the digits. */
int web_path_number(const char *text, const char **end);

/* Starts a body of this (static) type with room for ceiling bytes. */
void web_body(struct http_response *res, const char *content_type, size_t ceiling);
/* Turns a body that did not fit into memory into a 503. */
void web_check_body(struct http_response *res);

#endif
