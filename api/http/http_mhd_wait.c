/* SPDX-License-Identifier: MIT */
/*
 * Requests and streams that wait, and the caretaker: one thread that resumes what waits, and sweeps away the
 * connections whose request does not come to an end.  See http_private.h for the locks.
 *
 * A waiting request is suspended in the library and stands in server->waiting.  A wake between the handler's look
 * at the world and that entry is not lost: the generation read before the look is compared after the entry.
 */
#include "http_private.h"

#include <microhttpd.h>

#include "clock.h"

enum { SWEEPS_PER_TIMEOUT = 5 };

static void waiting_remove(struct http_server *server, struct exchange *e)
{
	*(e->prev != NULL ? &e->prev->next : &server->waiting) = e->next;
	if (e->next != NULL) {
		e->next->prev = e->prev;
	}
	e->prev = NULL;
	e->next = NULL;
	atomic_fetch_sub(&server->waiting_count, 1);
}

bool http_suspend(struct exchange *e, uint64_t generation, int64_t wake_ms)
{
	struct http_server *server = e->server;
	pthread_mutex_lock(&server->lock);
	bool stopping = server->stopping;
	pthread_mutex_unlock(&server->lock);
	if (stopping) {
		return false;
	}
	MHD_suspend_connection(e->mhd);
	pthread_mutex_lock(&server->lock);
	stopping = server->stopping;
	if (!stopping) {
		e->prev = NULL;
		e->next = server->waiting;
		if (e->next != NULL) {
			e->next->prev = e;
		}
		server->waiting = e;
		atomic_fetch_add(&server->waiting_count, 1);
		e->wake_ms = atomic_load(&server->generation) != generation ? 0 : wake_ms;
		pthread_cond_signal(&server->cond);
	}
	pthread_mutex_unlock(&server->lock);
	if (stopping) {
		/* The caretaker may be gone already; the next call finds the server stopping. */
		MHD_resume_connection(e->mhd);
	}
	return true;
}

void http_server_wake(struct http_server *server)
{
	atomic_fetch_add(&server->generation, 1);
	if (atomic_load(&server->waiting_count) == 0) {
		return;
	}
	pthread_mutex_lock(&server->lock);
	server->wake_all = true;
	pthread_cond_signal(&server->cond);
	pthread_mutex_unlock(&server->lock);
}

/* Takes every exchange that is due out of the list; *next_ms is when the next one will be. */
static struct exchange *take_due(struct http_server *server, int64_t now_ms, int64_t *next_ms)
{
	struct exchange *due = NULL;
	bool all = server->wake_all || server->stopping;
	server->wake_all = false;
	for (struct exchange *e = server->waiting, *next; e != NULL; e = next) {
		next = e->next;
		if (all || e->wake_ms <= now_ms) {
			waiting_remove(server, e);
			e->next = due;
			due = e;
		} else if (e->wake_ms < *next_ms) {
			*next_ms = e->wake_ms;
		}
	}
	return due;
}

void *http_care(void *arg)
{
	struct http_server *server = arg;
	int64_t sweep_ms = CLOCK_NEVER;
	int64_t swept_us = 0;
	int64_t period_ms = server->request_timeout_ms / SWEEPS_PER_TIMEOUT;
	const struct peer_rules rules = {
		.timeout_us = server->request_timeout_ms * 1000,
		.period_us = period_ms * 1000,
		.crowd = HTTP_CROWD,
		.least_rate = HTTP_LEAST_RATE,
		.behind_us = server->behind_ms * 1000,
	};
	pthread_mutex_lock(&server->lock);
	for (;;) {
		int64_t now_ms = clock_now_ms(clock_real());
		int64_t next_ms = CLOCK_NEVER;
		struct exchange *due = take_due(server, now_ms, &next_ms);
		if (due != NULL) {
			/* A suspended connection stays until it is resumed, so the pointers hold;
			 * the library's own lock must not be taken under ours. */
			pthread_mutex_unlock(&server->lock);
			while (due != NULL) {
				struct exchange *e = due;
				due = e->next;
				e->next = NULL;
				MHD_resume_connection(e->mhd);
			}
			pthread_mutex_lock(&server->lock);
			continue;
		}
		if (server->stopping) {
			break;
		}
		if (server->peers == NULL && now_ms >= sweep_ms) {
			sweep_ms = CLOCK_NEVER;
		} else if (server->peers != NULL && sweep_ms == CLOCK_NEVER) {
			swept_us = turn_now_us();
			sweep_ms = now_ms + period_ms;
		} else if (server->peers != NULL && now_ms >= sweep_ms) {
			int64_t now_us = turn_now_us();
			peers_sweep(server->peers, &rules, swept_us, now_us);
			swept_us = now_us;
			sweep_ms = now_ms + period_ms;
		}
		server->sweeping = sweep_ms != CLOCK_NEVER;
		clock_wait(clock_real(), &server->cond, &server->lock,
			next_ms < sweep_ms ? next_ms : sweep_ms);
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}
