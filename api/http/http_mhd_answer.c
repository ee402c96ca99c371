/* SPDX-License-Identifier: MIT */
/* Gives the library what a handler answered: a body, a text that lives for ever, or a stream. */
#include "http_private.h"

#include <microhttpd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

/* A callback that holds its thread for longer is worth a line when somebody looks for such (--log-level debug). */
#define TURN_LONG_US 1000

void http_clear_response(struct http_response *res)
{
	memset(res, 0, offsetof(struct http_response, header_value));
}

void http_note_turn(struct exchange *e, const char *what)
{
	int64_t us = turn_leave(e->peer->turn);
	if (us > TURN_LONG_US && log_enabled(LOG_DEBUG)) {
		log_debug("http", "%s %s held its thread for %.1f ms, %s", e->request.verb_text, e->request.path,
			(double)us / 1000, what);
	}
}

/* A stream while it is sent.  It outlives the exchange when the library keeps the response longer. */
struct sending {
	struct http_stream stream;
	struct exchange *exchange;
};

static ssize_t on_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct sending *sending = cls;
	struct exchange *e = sending->exchange;
	uint64_t generation = atomic_load(&e->server->generation);
	turn_enter(e->peer->turn);
	ssize_t n = sending->stream.read(sending->stream.arg, pos, out, max);
	http_note_turn(e, "sending");
	if (n > 0) {
		return n;
	}
	if (n == HTTP_STREAM_LATER) {
		int64_t wake_ms = sending->stream.wake_ms > 0
					  ? clock_now_ms(clock_real()) + sending->stream.wake_ms
					  : CLOCK_NEVER;
		if (http_suspend(e, generation, wake_ms)) {
			return 0;
		}
	}
	return sending->stream.size >= 0 ? MHD_CONTENT_READER_END_WITH_ERROR
					 : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_read_end(void *cls)
{
	struct sending *sending = cls;
	if (sending->stream.release != NULL) {
		sending->stream.release(sending->stream.arg);
	}
	free(sending);
}

static struct MHD_Response *stream_response(struct exchange *e, struct http_response *res)
{
	struct sending *sending = calloc(1, sizeof *sending);
	if (sending == NULL) {
		if (res->stream.release != NULL) {
			res->stream.release(res->stream.arg);
		}
		return NULL;
	}
	sending->stream = res->stream;
	sending->exchange = e;
	uint64_t size = res->stream.size >= 0 ? (uint64_t)res->stream.size : MHD_SIZE_UNKNOWN;
	size_t block = res->stream.block > 0 ? res->stream.block : 16384;
	struct MHD_Response *response =
		MHD_create_response_from_callback(size, block, on_read, sending, on_read_end);
	if (response == NULL) {
		on_read_end(sending);
	}
	return response;
}

static struct MHD_Response *make_response(struct exchange *e, struct http_response *res)
{
	static char failed[] = "The server is out of memory.\n";
	if (res->stream.read != NULL) {
		buf_fini(&res->body);
		return stream_response(e, res);
	}
	if (res->static_body != NULL) {
		buf_fini(&res->body);
		/* The library does not write to the body; its interface has no const. */
		union {
			const void *in;
			void *out;
		} body = {.in = res->static_body};
		return MHD_create_response_from_buffer(
			res->static_len, body.out, MHD_RESPMEM_PERSISTENT);
	}
	if (res->body.failed) {
		buf_fini(&res->body);
		res->status = 500;
		res->content_type = "text/plain; charset=utf-8";
		return MHD_create_response_from_buffer(
			sizeof failed - 1, failed, MHD_RESPMEM_PERSISTENT);
	}
	/* The library frees the body with the response. */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(res->body.len, res->body.data,
			res->body.data != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (response == NULL) {
		buf_fini(&res->body);
	}
	return response;
}

/* Whether memory is kept until the client has taken the answer. */
static bool keeps_memory(const struct http_response *res)
{
	if (res->stream.read != NULL) {
		return res->stream.size >= 0;
	}
	return res->static_body == NULL && res->body.len > HTTP_ANSWER_SMALL;
}

/* Counts a body among those that wait to be taken; when these are too many already, the client is asked to come
 * again. */
static void count_body(struct exchange *e, struct http_response *res)
{
	_Atomic size_t *total = &e->server->answer_bytes;
	size_t len = res->body.len;
	if (atomic_fetch_add(total, len) + len <= HTTP_ANSWERS_MAX) {
		e->answer_bytes = len;
		return;
	}
	atomic_fetch_sub(total, len);
	buf_fini(&res->body);
	http_text(res, 503, "Too many answers wait for slow clients; please ask again in some seconds.");
}

/* Lets the caretaker watch how fast the client takes the answer. */
static void watch_taking(struct exchange *e)
{
	struct peer *peer = e->peer;
	pthread_mutex_lock(&e->server->lock);
	text_copy_clean(peer->asked, sizeof peer->asked, e->request.path);
	pthread_mutex_unlock(&e->server->lock);
	atomic_store(&peer->keeps, true);
}

enum MHD_Result http_send(struct exchange *e, struct http_response *res, bool close)
{
	if (res->stream.read == NULL && keeps_memory(res)) {
		count_body(e, res);
	}
	if (keeps_memory(res)) {
		watch_taking(e);
	}
	struct MHD_Response *response = make_response(e, res);
	if (response == NULL) {
		return MHD_NO;
	}
	if (res->content_type != NULL) {
		MHD_add_response_header(response, "Content-Type", res->content_type);
	}
	for (int i = 0; i < res->header_count; i++) {
		MHD_add_response_header(response, res->header_name[i], res->header_value[i]);
	}
	/* Pages elsewhere cannot show our pictures; with this they cannot learn from their loading either. */
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy",
		e->shared_with != NULL ? "cross-origin" : "same-origin");
	if (e->shared_with != NULL) {
		MHD_add_response_header(response, "Access-Control-Allow-Origin", e->shared_with);
		MHD_add_response_header(response, "Vary", "Origin");
	}
	if (close) {
		MHD_add_response_header(response, "Connection", "close");
	}
	int status = res->status > 0 ? res->status : 200;
	atomic_store(&e->peer->answering, true);
	enum MHD_Result ok = MHD_queue_response(e->mhd, (unsigned)status, response);
	MHD_destroy_response(response);
	if (status >= 100 && status < 600) {
		atomic_fetch_add_explicit(
			&e->server->by_class[status / 100], 1, memory_order_relaxed);
	}
	return ok;
}

enum MHD_Result http_refuse(struct exchange *e, int status, bool close, const char *text)
{
	struct http_response res;
	http_clear_response(&res);
	http_text(&res, status, "%s", text);
	return http_send(e, &res, close);
}
