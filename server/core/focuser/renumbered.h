/* SPDX-License-Identifier: MIT */
/*
 * The first start after focusd 0.1.0, which published the motor's own numbers also where the motor's lower limit is not
 * 0.  Today that limit is published as 0 (numbering.h), so for such a motor every number that people know has become
 * smaller by the lower limit.  That is said once; and a min_step or max_step that was written for the motor's own
 * numbers would limit the focuser at another place, so moves are refused until somebody has changed it.
 *
 * Whether there was such a start before is known from the journal of positions alone: entries of 0.1.0 have no lower
 * limit in them.  The limits that are refused go into the entries that follow, so that a restart does not make them
 * right.  Pure; the table of cases is tests/unit/core/test_renumbered.c.
 */
#ifndef FOCUSD_FOCUSER_RENUMBERED_H
#define FOCUSD_FOCUSER_RENUMBERED_H

#include <stdbool.h>
#include <stdint.h>

#include "numbering.h"
#include "position_journal.h"

#define RENUMBERED_REFUSAL 200

/* What is known of the device and its configuration. */
struct renumbered_case {
	const struct position_entry *last; /* the newest entry of the journal; NULL none */
	const char *driver;
	struct numbering numbering;        /* of today */
	bool limits_known;                 /* a Celestron that was never calibrated has no limits yet */
	int32_t min_step, max_step;        /* as configured; 0 where they are not */
};

struct renumbered {
	bool undecided;        /* the limits that decide are not known yet: entries stay like those of 0.1.0 */
	int32_t old_min_step;  /* the configured limits that were written for the motor's own numbers; 0 none */
	int32_t old_max_step;
	char note[FOCUSER_WHY]; /* a sentence for the log at the start that finds the change; "" otherwise */
	char refusal[RENUMBERED_REFUSAL]; /* why moves are refused, to follow "NAME is "; "" when they are not */
};

void renumbered_judge(const struct renumbered_case *now, struct renumbered *out);

#endif
