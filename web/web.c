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
	web->renderer = renderer_create();
	if (web->renderer == NULL || !preview_init(web) ||
		pthread_create(&web->thread, NULL, web_thread, web) != 0) {
		log_error("web", "no thread or memory can be had for pictures and events");
		renderer_destroy(web->renderer);
		preview_fini(web);
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
	renderer_destroy(web->renderer);
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

/* ---- which answer belongs to which path ---- */

static enum http_result healthz(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	(void)web;
	(void)rest;
	(void)req;
	http_text(res, 200, "ok");
	return HTTP_DONE;
}

static const struct route {
	const char *path;       /* ending in '/': everything below it */
	enum http_result (*answer)(struct web *web, const char *rest, const struct http_request *req,
		struct http_response *res);
} routes[] = {
	{"/events", sse_answer},
	{"/healthz", healthz},
	{"/metrics", metrics_answer},
	{"/setup", setup_server_answer},
	{"/setup/v1/", setup_device_answer},
	{"/focusd/v1/camera/", preview_answer},
	{"/focusd/v1/runs", runs_list_answer},
	{"/focusd/v1/runs/", runs_one_answer},
};

bool web_is_page(const char *path)
{
	return strcmp(path, "/") == 0 || strcmp(path, "/setup") == 0 || strncmp(path, "/setup/v1/", 10) == 0;
}

/* The route of a path, and in *rest what stands behind the fixed part; NULL when there is none. */
static const struct route *find_route(const char *path, const char **rest)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		size_t len = strlen(routes[i].path);
		if (strncmp(path, routes[i].path, len) == 0 &&
			(path[len] == '\0' || routes[i].path[len - 1] == '/')) {
			*rest = path + len;
			return &routes[i];
		}
	}
	return NULL;
}

static enum http_result answer(struct web *web, const struct http_request *req,
	struct http_response *res)
{
	const char *rest;
	const struct route *route;
	enum http_result result = HTTP_DONE;
	if (req->verb != HTTP_GET && req->verb != HTTP_HEAD) {
		http_text(res, 405, "Only GET is answered here.");
		http_add_header(res, "Allow", "GET, HEAD");
	} else if (pages_asset(req, res)) {
		return HTTP_DONE; /* Files have a caching of their own. */
	} else if ((route = find_route(req->path, &rest)) != NULL) {
		result = route->answer(web, rest, req, res);
	} else {
		http_text(res, 404, "There is nothing at this address. The status page is at /");
	}
	if (result == HTTP_DONE) {
		http_add_header(res, "Cache-Control", "no-store");
	}
	return result;
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
