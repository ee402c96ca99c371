/* SPDX-License-Identifier: MIT */
#include "renumbered.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

/* Adds "min_step = 5000" to the one text, and to the other what to write instead. */
static void advise(struct buf *was, struct buf *will, const char *key, int32_t value, int32_t low)
{
	if (value <= 0) {
		return;
	}
	buf_printf(was, "%s%s = %d", was->len > 0 ? " and " : "", key, (int)value);
	buf_puts(will, will->len > 0 ? " and " : "");
	if (value > low) {
		buf_printf(will, "write %s = %d", key, (int)(value - low));
	} else {
		buf_printf(will, "remove %s", key);
	}
}

static void refuse(const struct renumbered_case *now, struct renumbered *out)
{
	struct buf was;
	struct buf will;
	buf_init(&was, RENUMBERED_REFUSAL);
	buf_init(&will, RENUMBERED_REFUSAL);
	advise(&was, &will, "min_step", out->old_min_step, now->numbering.low);
	advise(&was, &will, "max_step", out->old_max_step, now->numbering.low);
	if (was.len > 0) {
		snprintf(out->refusal, sizeof out->refusal,
			"held: %s counts as the motor does, but today 0 is its lower limit, %d: %s", buf_text(&was),
			(int)now->numbering.low, buf_text(&will));
	}
	buf_fini(&was);
	buf_fini(&will);
}

void renumbered_judge(const struct renumbered_case *now, struct renumbered *out)
{
	*out = (struct renumbered){.undecided = false};
	const struct position_entry *last = now->last;
	if (last == NULL || strcmp(last->driver, now->driver) != 0) {
		return;
	}
	if (!last->before_shift) {
		/* A limit that was changed since it was refused was written for today's numbers. */
		out->old_min_step = last->old_min_step == now->min_step ? last->old_min_step : 0;
		out->old_max_step = last->old_max_step == now->max_step ? last->old_max_step : 0;
		refuse(now, out);
		return;
	}
	if (!now->limits_known) {
		out->undecided = true;
		return;
	}
	/* Reversed positions were counted from the upper limit by 0.1.0, too. */
	if (now->numbering.low == 0 || now->numbering.reversed || last->numbering.reversed) {
		return;
	}
	snprintf(out->note, sizeof out->note,
		"since this version positions begin with 0 at the motor's lower limit, %d: each is %d less than before",
		(int)now->numbering.low, (int)now->numbering.low);
	if (last->numbering.high == now->numbering.high) {
		size_t used = strlen(out->note);
		snprintf(out->note + used, sizeof out->note - used, "; where it stood was %d and is %d",
			(int)last->position, (int)numbering_published(&now->numbering, last->position));
	}
	out->old_min_step = now->min_step;
	/* One at or above the motor's own limit, which held it, meant nothing then and means nothing today. */
	out->old_max_step = now->max_step < now->numbering.high ? now->max_step : 0;
	refuse(now, out);
}
