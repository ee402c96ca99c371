/* SPDX-License-Identifier: MIT */
/*
 * The status page, setup pages, events, previews, run history, metrics: everything served that is
 * not Alpaca.
 */
#ifndef FOCUSD_WEB_H
#define FOCUSD_WEB_H

#include "http.h"
#include "observatory.h"

struct web;

struct web *web_create(struct observatory *obs);
void web_destroy(struct web *web);

/* For /metrics; to be called once after the server has started. */
void web_set_server(struct web *web, struct http_server *server);

/* Answers every request that is not Alpaca's; unknown paths get 404 with text. */
enum http_result web_handle(struct web *web, const struct http_request *req,
	struct http_response *res);

#endif
