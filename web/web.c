/* SPDX-License-Identifier: MIT */
/* Which answer belongs to which path, the headers that all of them carry, and the room's thread. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "web_private.h"

/* The page needs nothing from elsewhere and nobody has a reason to frame it. */
#define POLICY "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; " \
	"frame-ancestors 'none'"

static void *web_thread(void *arg)
{
	struct web *web = arg;
	pthread_mutex_lock(&web->lock);
	while (!web->stopping) {
		if (web->wake_at_ms <= clock_now_ms(clock_real())) {
			web->wake_at_ms = CLOCK_NEVER;
			if (web->server != NULL) {
				http_server_wake(web->server);
			}
		}
		if (preview_work(web)) {
			if (web->server != NULL) {
				http_server_wake(web->server);
			}
			continue;
		}
		if (!web->stopping) {
			clock_wait(clock_real(), &web->cond, &web->lock, web->wake_at_ms);
		}
	}
	pthread_mutex_unlock(&web->lock);
	return NULL;
}

struct web *web_create(const struct served *served)
{
	struct web *web = calloc(1, sizeof *web);
	if (web == NULL) {
		return NULL;
	}
	web->served = served;
	web->clock = clock_real();
	web->started_utc_ms = clock_utc_ms();
	web->wake_at_ms = CLOCK_NEVER;
	pthread_mutex_init(&web->lock, NULL);
	clock_cond_init(&web->cond);
	if (pthread_create(&web->thread, NULL, web_thread, web) != 0) {
		log_error("web", "no thread can be had for pictures and events");
		pthread_cond_destroy(&web->cond);
		pthread_mutex_destroy(&web->lock);
		free(web);
		return NULL;
	}
	return web;
}

void web_destroy(struct web *web)
{
	if (web == NULL) {
		return;
	}
	pthread_mutex_lock(&web->lock);
	web->stopping = true;
	pthread_cond_signal(&web->cond);
	pthread_mutex_unlock(&web->lock);
	pthread_join(web->thread, NULL);
	preview_fini(web);
	pthread_cond_destroy(&web->cond);
	pthread_mutex_destroy(&web->lock);
	free(web);
}

void web_set_server(struct web *web, struct http_server *server)
{
	pthread_mutex_lock(&web->lock);
	web->server = server;
	pthread_mutex_unlock(&web->lock);
}

void web_wake_in(struct web *web, int64_t delay_ms)
{
	int64_t at_ms = clock_now_ms(clock_real()) + delay_ms;
	pthread_mutex_lock(&web->lock);
	if (at_ms < web->wake_at_ms) {
		web->wake_at_ms = at_ms;
		pthread_cond_signal(&web->cond);
	}
	pthread_mutex_unlock(&web->lock);
}

int web_path_number(const char *text, const char **end)
{
	int value = 0;
	const char *p = text;
	while (*p >= '0' && *p <= '9' && p - text < 6) {
		value = value * 10 + (*p++ - '0');
	}
	*end = p;
	bool strict = p > text && (text[0] != '0' || p == text + 1) && !(*p >= '0' && *p <= '9');
	return strict ? value : -1;
}

void web_body(struct http_response *res, const char *content_type, size_t ceiling)
{
	res->status = 200;
	res->content_type = content_type;
	buf_init(&res->body, ceiling);
}

void web_check_body(struct http_response *res)
{
	if (res->body.failed) {
		buf_fini(&res->body);
		http_text(res, 503, "The answer does not fit into memory just now.");
	}
}

/* The path behind prefix, or NULL when it does not begin with it. */
static const char *behind(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

static enum http_result answer(struct web *web, const struct http_request *req,
	struct http_response *res)
{
	const char *path = req->path;
	const char *rest;
	if (req->verb != HTTP_GET && req->verb != HTTP_HEAD) {
		http_text(res, 405, "Only GET is answered here.");
		http_add_header(res, "Allow", "GET, HEAD");
	} else if (pages_asset(req, res)) {
		return HTTP_DONE; /* sets its own caching */
	} else if ((rest = behind(path, "/focusd/v1/camera/")) != NULL) {
		return preview_answer(web, rest, req, res);
	} else if (strcmp(path, "/events") == 0) {
		if (req->verb == HTTP_HEAD) {
			web_body(res, "text/event-stream", 0);
		} else {
			sse_open(web, res);
		}
	} else if (strcmp(path, "/healthz") == 0) {
		http_text(res, 200, "ok");
	} else if (strcmp(path, "/metrics") == 0) {
		metrics_answer(web, res);
	} else if (strcmp(path, "/focusd/v1/runs") == 0) {
		runs_list_answer(web, req, res);
	} else if ((rest = behind(path, "/focusd/v1/runs/")) != NULL) {
		runs_one_answer(web, rest, req, res);
	} else if (strcmp(path, "/setup") == 0) {
		setup_server_answer(web, req, res);
	} else if ((rest = behind(path, "/setup/v1/")) != NULL) {
		setup_device_answer(web, rest, req, res);
	} else {
		http_text(res, 404, "There is nothing at this address. The status page is at /");
	}
	http_add_header(res, "Cache-Control", "no-store");
	return HTTP_DONE;
}

enum http_result web_handle(struct web *web, const struct http_request *req,
	struct http_response *res)
{
	enum http_result result = answer(web, req, res);
	if (result == HTTP_DONE) {
		http_add_header(res, "Content-Security-Policy", POLICY);
		http_add_header(res, "X-Content-Type-Options", "nosniff");
		http_add_header(res, "Referrer-Policy", "no-referrer");
	}
	return result;
}
