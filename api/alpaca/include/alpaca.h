/* SPDX-License-Identifier: MIT */
/*
 * Alpaca: turns requests for paths under /api and /management into answers. Handlers look members up in one route
 * table; see routes.c.
 */
#ifndef FOCUSD_ALPACA_H
#define FOCUSD_ALPACA_H

#include "http.h"
#include "served.h"

struct alpaca;

/* Makes the Alpaca part of the server; `served` is borrowed and must outlive it. NULL when out of memory. */
struct alpaca *alpaca_create(const struct served *served);
void alpaca_destroy(struct alpaca *alpaca);

/* True when path belongs to Alpaca (/api, /management and what is below them, right or wrong). */
bool alpaca_owns(const char *path);

/* Answers such a request. */
enum http_result alpaca_handle(struct alpaca *alpaca, const struct http_request *req,
	struct http_response *res);

#endif
