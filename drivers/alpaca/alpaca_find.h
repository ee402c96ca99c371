/* SPDX-License-Identifier: MIT */
/*
 * Finding the device that the configuration means: on the server that it names, or on any server that answers a
 * search in the network (Alpaca API Reference, chapter 4), by number or by UniqueID.
 */
#ifndef FOCUSD_ALPACA_FIND_H
#define FOCUSD_ALPACA_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct alpaca_client;

/* Finds the device of c->place and fills in c->http, number, name and unique_id; returns by deadline_ms of
 * clock_real().  A UniqueID that is not on the named server, or whose server does not answer, is looked for in the
 * network.  Errors of alpaca_client_link(); nothing is filled in then. */
enum err_code alpaca_find(struct alpaca_client *c, int64_t deadline_ms, struct err *err);

/* Whether a device with this UniqueID is of this very server or borrows from it, and the sentence that says so
 * (ERR_INVALID_OPERATION). */
bool alpaca_is_ours(const struct alpaca_client *c, const char *unique_id);
enum err_code alpaca_leads_back(const struct alpaca_client *c, struct err *err);

#endif
