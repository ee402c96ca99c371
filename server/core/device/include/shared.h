/* SPDX-License-Identifier: MIT */
/*
 * What sibling drivers share: memory for simulations, and objects with a first and a last user.  The promises to
 * drivers stand in driver_host.h (share, join, leave).  Any thread.
 *
 * Its mutex is held for looking things up and while usable() of an object is asked; never while one is made or
 * ended, and no lock of a device is taken under it.
 */
#ifndef FOCUSD_SHARED_H
#define FOCUSD_SHARED_H

#include <stddef.h>

#include "err.h"

struct driver_shared;
struct shared;

/* Makes an empty table; NULL when out of memory. */
struct shared *shared_create(void);
/* Frees everything. It is called after all devices have ended, when nobody uses anything any more. */
void shared_destroy(struct shared *shared);

/* The functions that struct driver_host hands to drivers; ctx is the struct shared. */
void *shared_memory(void *ctx, const char *key, size_t size);
enum err_code shared_join(void *ctx, const char *key, const struct driver_shared *kind, const void *arg, void **out,
	struct err *err);
void shared_leave(void *ctx, void *object);

#endif
