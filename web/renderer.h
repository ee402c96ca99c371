/* SPDX-License-Identifier: MIT */
/*
 * Makes pictures at a lower priority.  A thread that gives way to others must not hold a lock that those others
 * take: they would wait for it while it waits for its turn.  So the thread in here takes no lock at all; it is
 * handed one job at a time by the room's own thread, which has the usual priority and waits for it.
 */
#ifndef FOCUSD_WEB_RENDERER_H
#define FOCUSD_WEB_RENDERER_H

#include <stddef.h>

struct frame;
struct preview_key;
struct renderer;

/* NULL when no thread or memory can be had. */
struct renderer *renderer_create(void);

/* Joins the thread; nobody may be in renderer_render().  NULL is fine. */
void renderer_destroy(struct renderer *renderer);

/* preview_render() on the renderer's thread; blocks until it is done.  One caller at a time, without a lock that
 * HTTP threads take.  *jpeg is NULL when out of memory, else the caller's to free(). */
void renderer_render(struct renderer *renderer, const struct frame *frame, const struct preview_key *key,
	unsigned char **jpeg, size_t *len);

#endif
