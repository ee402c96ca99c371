/* SPDX-License-Identifier: MIT */
/*
 * The only place that asks the time or waits.  Three kinds of clock share one interface: the real
 * monotonic one, one that runs N times faster than life (simulation and replay), and a fake one
 * for tests whose waits return at once with the time moved on.  Times are int64_t milliseconds of
 * that clock since an arbitrary start; a deadline is absolute on the clock it is waited for on.
 */
#ifndef FOCUSD_CLOCK_H
#define FOCUSD_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock;

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

/* The real monotonic clock; shared, never destroyed. */
struct clock *clock_real(void);

/* A clock running factor (0.01..100000) times faster than life.  NULL when out of memory. */
struct clock *clock_create_scaled(double factor);

/* A clock that stands still except where a wait or clock_fake_advance() moves it.  For tests with
 * one thread. */
struct clock *clock_create_fake(void);

/* Frees a scaled or fake clock; NULL and the real clock are fine. */
void clock_destroy(struct clock *clock);

/* What the clock shows at this moment, milliseconds. */
int64_t clock_now_ms(struct clock *clock);

/* How much faster than life it runs: 1 for the real clock, the factor for a scaled one. */
double clock_factor(const struct clock *clock);

/* Moves a fake clock on by ms (>= 0). */
void clock_fake_advance(struct clock *clock, int64_t ms);

/* Prepares a condition variable for clock_wait(): it must count monotonic time. */
void clock_cond_init(pthread_cond_t *cond);

/* Waits on cond with mutex held, as pthread_cond_timedwait, at most until deadline_ms (or
 * CLOCK_NEVER).  True when the deadline has passed, false when woken (perhaps spuriously). */
bool clock_wait(struct clock *clock, pthread_cond_t *cond, pthread_mutex_t *mutex,
	int64_t deadline_ms);

/* Milliseconds of poll(2) timeout until deadline_ms of the clock: 0 when past, -1 for never,
 * rounded up so that a poll does not return early. */
int clock_poll_timeout(struct clock *clock, int64_t deadline_ms);

/* Wall clock time, milliseconds since 1970 UTC.  Only for time stamps, never for durations. */
int64_t clock_utc_ms(void);

/* Room for clock_utc_text(). */
#define CLOCK_UTC_TEXT 25

/* Writes "2026-03-14T22:08:31.250Z". */
void clock_utc_text(int64_t utc_ms, char out[CLOCK_UTC_TEXT]);

#endif
