/* SPDX-License-Identifier: MIT */
/* An observatory of plain variables in the place of core/, and an HTTP server that is a function
 * call: what the web room's tests stand on. */
#ifndef FOCUSD_TEST_FAKE_CORE_H
#define FOCUSD_TEST_FAKE_CORE_H

#include "autofocus.h"
#include "camera.h"
#include "focuser.h"
#include "served.h"
#include "web.h"

struct device {
	struct device_info info;
	uint64_t version;
	struct focuser_state focuser;
	struct focuser_calibration calibration;
	struct camera_state camera;
	struct frame *frame;
	char failure[240];
	uint64_t errors[ERR_CODE_COUNT];
};

/* There is nothing to say of it: what it answers stands in struct fake. */
struct autofocus {
	int nothing;
};

struct fake {
	struct devices devices;
	struct served served;   /* what the web room is made with */
	struct autofocus autofocus;
	struct config config;
	struct device focuser, camera;
	uint64_t news;
	uint64_t run_version;
	uint64_t running;       /* id, 0 none */
	struct run *run;        /* the newest; owned */
	uint64_t run_counts[4];
	bool store_broken;
	int store_looks;        /* how often an answer was looked for */
	const char *runs_text;  /* what a list of runs is */
	int runs_limit;         /* what it was asked for */
};
extern struct fake fake;

/* One focuser "C8 <motor>" and one camera, links down, nothing known; a fresh one each time. */
void fake_setup(void);
void fake_teardown(void);

/* A finished run with two points. */
struct run *fake_run(uint64_t id);

/* One request from beginning to end; waits where the handler says HTTP_WAIT. */
struct reply {
	struct http_response res;
	int waits;              /* how often it was told to wait */
};
struct fake_request {
	const char *target;         /* path and query */
	enum http_verb verb;        /* HTTP_GET is 0 */
	const char *host;           /* NULL: none */
	const char *if_none_match;
	const char *accept_encoding;  /* NULL: none */
};
struct reply fake_ask(struct web *web, struct fake_request what);
struct reply fake_get(struct web *web, const char *target);
void fake_reply_free(struct reply *reply);

/* The reply's body as text, and one of its headers (NULL when absent). */
const char *fake_text(const struct reply *reply);
const char *fake_header(const struct reply *reply, const char *name);

/* The server value for web_set_server(). */
struct http_server *fake_server(void);

#endif
