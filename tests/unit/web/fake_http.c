/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fake_core.h"

/* How often web woke "the server"; a waiting request sleeps on it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned wakes;

struct http_server *fake_server(void)
{
	return (struct http_server *)(void *)&wakes;
}

void http_server_wake(struct http_server *server)
{
	(void)server;
	pthread_mutex_lock(&lock);
	wakes++;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

void http_server_counts(struct http_server *server, uint64_t by_class[6])
{
	(void)server;
	for (int i = 0; i < 6; i++) {
		by_class[i] = (uint64_t)(100 * i);
	}
}

void http_text(struct http_response *res, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	res->status = status;
	res->content_type = "text/plain; charset=utf-8";
	buf_init(&res->body, sizeof text);
	buf_puts(&res->body, text);
}

void http_add_header(struct http_response *res, const char *name, const char *value)
{
	if (res->header_count == 8 || strlen(value) >= sizeof res->header_value[0]) {
		abort();
	}
	res->header_name[res->header_count] = name;
	snprintf(res->header_value[res->header_count++], sizeof res->header_value[0], "%s", value);
}

/* Enough for the tests' plain numbers and words: no escapes. */
int http_field(struct span form, const char *name, bool any_case, char *out, size_t cap)
{
	(void)any_case;
	const char *p = form.data;
	const char *end = p + form.len;
	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *stop = amp != NULL ? amp : end;
		size_t len = strlen(name);
		if ((size_t)(stop - p) > len && memcmp(p, name, len) == 0 && p[len] == '=') {
			size_t value = (size_t)(stop - p) - len - 1;
			if (value >= cap) {
				return -2;
			}
			memcpy(out, p + len + 1, value);
			out[value] = '\0';
			return 0;
		}
		p = amp != NULL ? amp + 1 : end;
	}
	return -1;
}

static const char *header_of(const struct http_request *req, const char *name)
{
	const struct fake_request *what = req->backend;
	return strcmp(name, "Host") == 0 ? what->host :
		strcmp(name, "If-None-Match") == 0 ? what->if_none_match :
		strcmp(name, "Accept-Encoding") == 0 ? what->accept_encoding : NULL;
}

/* Reads a stream of known length into the body, as a client would get it. */
static void drain(struct http_response *res)
{
	char block[1000];
	ssize_t n;
	buf_init(&res->body, (size_t)res->stream.size + 1);
	while ((n = res->stream.read(res->stream.arg, res->body.len, block, sizeof block)) > 0) {
		buf_add(&res->body, block, (size_t)n);
	}
	if (n != HTTP_STREAM_END || res->body.len != (size_t)res->stream.size) {
		abort();
	}
}

struct reply fake_ask(struct web *web, struct fake_request what)
{
	char path[256];
	snprintf(path, sizeof path, "%s", what.target);
	char *mark = strchr(path, '?');
	struct http_wait wait = {0};
	struct http_request req = {.verb = what.verb, .verb_text = "", .path = path, .content_type = "",
		.header = header_of, .wait = &wait, .query = {.data = ""}};
	req.backend = &what;
	if (mark != NULL) {
		*mark = '\0';
		req.query = span_of(mark + 1);
	}
	struct reply reply = {0};
	for (;;) {
		pthread_mutex_lock(&lock);
		unsigned before = wakes;
		pthread_mutex_unlock(&lock);
		reply.res = (struct http_response){0};
		if (web_handle(web, &req, &reply.res) == HTTP_DONE) {
			if (reply.res.stream.read != NULL && reply.res.stream.size >= 0) {
				drain(&reply.res);
			}
			return reply;
		}
		reply.waits++;
		wait.resumed = true;
		pthread_mutex_lock(&lock);
		while (wakes == before && clock_now_ms(clock_real()) < wait.deadline_ms) {
			clock_wait(clock_real(), &cond, &lock, wait.deadline_ms);
		}
		pthread_mutex_unlock(&lock);
	}
}

struct reply fake_get(struct web *web, const char *target)
{
	return fake_ask(web, (struct fake_request){.target = target});
}

void fake_reply_free(struct reply *reply)
{
	buf_fini(&reply->res.body);
	if (reply->res.stream.release != NULL) {
		reply->res.stream.release(reply->res.stream.arg);
	}
}

const char *fake_text(const struct reply *reply)
{
	return buf_text(&reply->res.body);
}

const char *fake_header(const struct reply *reply, const char *name)
{
	for (int i = 0; i < reply->res.header_count; i++) {
		if (strcmp(reply->res.header_name[i], name) == 0) {
			return reply->res.header_value[i];
		}
	}
	return NULL;
}
