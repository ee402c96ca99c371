/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum clock_kind { CLOCK_KIND_REAL, CLOCK_KIND_SCALED, CLOCK_KIND_FAKE };

struct clock {
	enum clock_kind kind;
	double factor;
	int64_t origin_ns;          /* the real time at which a scaled clock showed 0 */
	_Atomic int64_t fake_now_ms;
};

static struct clock real_clock = {.kind = CLOCK_KIND_REAL, .factor = 1.0};

static int64_t monotonic_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct clock *clock_real(void)
{
	return &real_clock;
}

struct clock *clock_create_scaled(double factor)
{
	struct clock *clock = calloc(1, sizeof *clock);
	if (clock != NULL) {
		clock->kind = CLOCK_KIND_SCALED;
		clock->factor = factor;
		clock->origin_ns = monotonic_ns();
	}
	return clock;
}

struct clock *clock_create_fake(void)
{
	struct clock *clock = calloc(1, sizeof *clock);
	if (clock != NULL) {
		clock->kind = CLOCK_KIND_FAKE;
		clock->factor = 1.0;
	}
	return clock;
}

void clock_destroy(struct clock *clock)
{
	if (clock != &real_clock) {
		free(clock);
	}
}

int64_t clock_now_ms(struct clock *clock)
{
	switch (clock->kind) {
	case CLOCK_KIND_REAL:
		return monotonic_ns() / 1000000;
	case CLOCK_KIND_SCALED:
		return (int64_t)((double)(monotonic_ns() - clock->origin_ns) * 1e-6 *
				 clock->factor);
	case CLOCK_KIND_FAKE:
		break;
	}
	return atomic_load(&clock->fake_now_ms);
}

double clock_factor(const struct clock *clock)
{
	return clock->factor;
}

void clock_fake_advance(struct clock *clock, int64_t ms)
{
	atomic_fetch_add(&clock->fake_now_ms, ms);
}

void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* The real monotonic time, in nanoseconds, at which the clock will show deadline_ms. */
static int64_t real_deadline_ns(const struct clock *clock, int64_t deadline_ms)
{
	if (clock->kind == CLOCK_KIND_SCALED) {
		return clock->origin_ns + (int64_t)((double)deadline_ms * 1e6 / clock->factor);
	}
	return deadline_ms * 1000000;
}

bool clock_wait(struct clock *clock, pthread_cond_t *cond, pthread_mutex_t *mutex,
	int64_t deadline_ms)
{
	if (clock->kind == CLOCK_KIND_FAKE) {
		if (deadline_ms != CLOCK_NEVER && deadline_ms > clock_now_ms(clock)) {
			atomic_store(&clock->fake_now_ms, deadline_ms);
		}
		return true;
	}
	if (deadline_ms == CLOCK_NEVER) {
		pthread_cond_wait(cond, mutex);
		return false;
	}
	int64_t ns = real_deadline_ns(clock, deadline_ms);
	if (ns < 0) {
		ns = 0;
	}
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	return pthread_cond_timedwait(cond, mutex, &ts) == ETIMEDOUT;
}

int clock_poll_timeout(struct clock *clock, int64_t deadline_ms)
{
	if (deadline_ms == CLOCK_NEVER) {
		return -1;
	}
	if (clock->kind == CLOCK_KIND_FAKE) {
		return 0;
	}
	int64_t left_ns = real_deadline_ns(clock, deadline_ms) - monotonic_ns();
	if (left_ns <= 0) {
		return 0;
	}
	int64_t left_ms = (left_ns + 999999) / 1000000;
	return left_ms > 3600000 ? 3600000 : (int)left_ms;
}

int64_t clock_utc_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_utc_text(int64_t utc_ms, char out[CLOCK_UTC_TEXT])
{
	time_t seconds = (time_t)(utc_ms / 1000);
	int ms = (int)(utc_ms % 1000);
	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	struct tm tm;
	gmtime_r(&seconds, &tm);
	char text[64];
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
	snprintf(out, CLOCK_UTC_TEXT, "%.24s", text);
}
