/* SPDX-License-Identifier: MIT */
/*
 * What one step of a device's worker came to. struct device_class.step returns it, and so do the functions into which
 * a kind of device splits its step.
 */
#ifndef FOCUSD_STEP_H
#define FOCUSD_STEP_H

#include <stdint.h>

#include "err.h"

enum step_what {
	STEP_AGAIN, /* there may be more to do at once */
	STEP_AT,    /* nothing more to do before at_ms, unless somebody wishes something */
	STEP_LOST,  /* the link to the hardware is lost; `why` has the reason */
};

struct step {
	enum step_what what;
	int64_t at_ms;  /* STEP_AT: ms on the device's clock; a time that is past means at once */
	struct err why; /* STEP_LOST: a sentence for people */
};

static inline struct step step_again(void)
{
	return (struct step){.what = STEP_AGAIN};
}

static inline struct step step_at(int64_t at_ms)
{
	return (struct step){.what = STEP_AT, .at_ms = at_ms};
}

/* The link is lost; why is copied. */
static inline struct step step_lost(const struct err *why)
{
	return (struct step){.what = STEP_LOST, .why = *why};
}

#endif
