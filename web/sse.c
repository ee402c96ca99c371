/* SPDX-License-Identifier: MIT */
/*
 * /events: server-sent events (HTML Living Standard, section "Server-sent events").  A subscriber
 * keeps the version numbers of what it was told last; when it is asked for more, it compares and
 * sends what changed.  So nothing is queued for a slow one: it skips steps and ends at the truth.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "web_private.h"

/* A dead connection is noticed only when something is sent, so something is sent so often. */
#define ALIVE_MS 5000
/* A listener is sent at most ten batches of news a second. */
#define BATCH_MS 100

struct subscriber {
	struct web *web;
	struct buf pending;
	size_t sent;
	bool greeted;
	int64_t last_ms;                          /* of the last batch, on web->clock */
	uint64_t device_version[DEVICES_MAX]; /* by index in the list of devices, as the next */
	uint64_t run_version[DEVICES_MAX];
	struct numbering numbering[DEVICES_MAX]; /* by which the run of this focuser was told last */
};

static void add_event(struct subscriber *sub, const char *name, uint64_t id, const struct buf *data)
{
	buf_printf(&sub->pending, "event: %s\nid: %" PRIu64 "\ndata: ", name, id);
	buf_add(&sub->pending, buf_text(data), data->len);
	buf_puts(&sub->pending, "\n\n");
}

static void add_run(struct subscriber *sub, struct autofocus *af, const struct numbering *today, uint64_t id,
	struct buf *scratch)
{
	struct run *run = autofocus_run(af, 0);
	if (run == NULL) {
		return;
	}
	run_renumber(run, today);
	buf_clear(scratch);
	run_json(run, scratch);
	run_free(run);
	add_event(sub, "run", id, scratch);
}

/* Puts what has changed since the last batch into sub->pending. */
static void collect(struct subscriber *sub)
{
	const struct served *served = sub->web->served;
	uint64_t id = events_now(served->events);
	struct buf scratch;
	buf_init(&scratch, 1024 * 1024);
	bool whole = !sub->greeted;
	bool changed[DEVICES_MAX] = {false};
	bool run_changed[DEVICES_MAX] = {false};
	struct device *dev;
	/* Versions are read before the states: a change in between is sent twice, never lost. */
	for (int i = 0; (dev = devices_at(served->devices, i)) != NULL; i++) {
		uint64_t version = device_version(dev);
		changed[i] = version != sub->device_version[i];
		sub->device_version[i] = version;
		struct autofocus *af = served_autofocus(served, dev);
		if (af != NULL) {
			uint64_t run_version = autofocus_version(af);
			struct numbering today = served_numbering(served, device_info(dev)->number);
			bool renumbered = !numbering_same(&today, &sub->numbering[i]);
			sub->numbering[i] = today;
			run_changed[i] = whole || renumbered || run_version != sub->run_version[i];
			sub->run_version[i] = run_version;
		}
	}
	if (whole) {
		buf_puts(&sub->pending, "retry: 2000\n\n");
		state_json_all(sub->web, &scratch);
		add_event(sub, "state", id, &scratch);
		sub->greeted = true;
	}
	for (int i = 0; (dev = devices_at(served->devices, i)) != NULL; i++) {
		const struct device_info *info = device_info(dev);
		if (!whole && (changed[i] || run_changed[i])) {
			buf_clear(&scratch);
			state_json_device(sub->web, dev, &scratch);
			add_event(sub, info->kind->name, id, &scratch);
		}
		if (run_changed[i]) {
			add_run(sub, served_autofocus(served, dev), &sub->numbering[i], id, &scratch);
		}
	}
	if (scratch.failed) {
		sub->pending.failed = true;
	}
	buf_fini(&scratch);
}

static bool has_news(const struct subscriber *sub)
{
	const struct served *served = sub->web->served;
	struct device *dev;
	for (int i = 0; (dev = devices_at(served->devices, i)) != NULL; i++) {
		if (device_version(dev) != sub->device_version[i]) {
			return true;
		}
		struct autofocus *af = served_autofocus(served, dev);
		if (af != NULL && autofocus_version(af) != sub->run_version[i]) {
			return true;
		}
	}
	return !sub->greeted;
}

static void add_alive(struct subscriber *sub)
{
	char now[CLOCK_UTC_TEXT];
	clock_utc_text(clock_utc_ms(), now);
	/* The comment is for proxies and people; scripts cannot see comments, so an event goes with it. */
	buf_printf(&sub->pending, ": alive\nevent: alive\ndata: {\"now\":\"%s\"}\n\n", now);
}

static ssize_t sse_read(void *arg, uint64_t pos, char *out, size_t max)
{
	(void)pos;
	struct subscriber *sub = arg;
	if (sub->sent == sub->pending.len) {
		buf_clear(&sub->pending);
		sub->sent = 0;
		int64_t now = clock_now_ms(sub->web->clock);
		if (has_news(sub)) {
			if (sub->greeted && now < sub->last_ms + BATCH_MS) {
				web_wake_in(sub->web, sub->last_ms + BATCH_MS - now);
				return HTTP_STREAM_LATER;
			}
			collect(sub);
		} else if (now >= sub->last_ms + ALIVE_MS) {
			add_alive(sub);
		} else {
			return HTTP_STREAM_LATER;
		}
		sub->last_ms = now;
		if (sub->pending.failed) {
			return HTTP_STREAM_END; /* the browser connects again and gets a snapshot */
		}
	}
	size_t left = sub->pending.len - sub->sent;
	size_t n = left < max ? left : max;
	memcpy(out, sub->pending.data + sub->sent, n);
	sub->sent += n;
	return (ssize_t)n;
}

static void sse_release(void *arg)
{
	struct subscriber *sub = arg;
	buf_fini(&sub->pending);
	free(sub);
}

static void open_stream(struct web *web, struct http_response *res)
{
	struct subscriber *sub = calloc(1, sizeof *sub);
	if (sub == NULL) {
		http_text(res, 503, "There is no memory for another listener just now.");
		return;
	}
	sub->web = web;
	buf_init(&sub->pending, 4 * 1024 * 1024);
	res->status = 200;
	res->content_type = "text/event-stream";
	res->stream = (struct http_stream){
		.read = sse_read,
		.release = sse_release,
		.arg = sub,
		.size = -1,
		.block = 16 * 1024,
		.wake_ms = ALIVE_MS,
	};
}

enum http_result sse_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	(void)rest;
	if (req->verb == HTTP_HEAD) {
		web_body(res, "text/event-stream", 0);
	} else {
		open_stream(web, res);
	}
	return HTTP_DONE;
}
