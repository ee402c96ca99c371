/* SPDX-License-Identifier: MIT */
/*
 * The status page, setup pages, events, previews, run history, metrics: everything served that is
 * not Alpaca.
 */
#ifndef FOCUSD_WEB_H
#define FOCUSD_WEB_H

#include "http.h"
#include "served.h"

struct web;

/* The observatory is borrowed and must outlive it.  Starts one thread, which renders pictures.
 * NULL when out of memory or threads. */
struct web *web_create(const struct served *served);
/* After the server has stopped; NULL is fine. */
void web_destroy(struct web *web);

/* Whom to wake when a picture is rendered, and whose counts /metrics shows: to be called once after
 * the server has started, and with NULL before it is stopped. */
void web_set_server(struct web *web, struct http_server *server);

/* Whether people open the path itself in a browser: the status page and the setup pages.  Any thread. */
bool web_is_page(const char *path);

/* Answers every request that is not Alpaca's, with its security headers; unknown paths get 404 with
 * text.  res is zeroed by the caller.  HTTP_WAIT while a picture is being
 * rendered or the store looks for runs. */
enum http_result web_handle(struct web *web, const struct http_request *req,
	struct http_response *res);

#endif
