/* SPDX-License-Identifier: MIT */
#include "thermometer.h"

#include <math.h>

/* Readings in a row: that can be no temperature before the last good one is forgotten, that outvote a value which
 * was confirmed, and one which was not. */
#define BROKEN_IN_A_ROW 3
#define AGAINST_MANY 3
#define AGAINST_ONE 2
/* Degrees that one reading may differ from the last, and more for each minute since; and within which two readings
 * say the same.  Tuned on tests/unit/focus/test_thermometer.c what_is_believed: a JUMP_C of 3.5 and an AGREE_C of
 * 0.4 each fail it; 7, 2.8 and a drift of 1.4 do not. */
#define JUMP_C 5.0
#define DRIFT_C_PER_MINUTE 1.0
#define AGREE_C 2.0
/* Milliseconds in a minute.  By definition. */
#define MS_PER_MINUTE 60000.0

static enum thermometer_word believe(struct thermometer *t, double celsius, int64_t now_ms, int support)
{
	t->known = true;
	t->celsius = celsius;
	t->believed_ms = now_ms;
	t->support = support;
	t->other_support = 0;
	return THERMOMETER_BELIEVED;
}

enum thermometer_word thermometer_take(struct thermometer *t, double celsius, int64_t now_ms)
{
	if (!(celsius >= THERMOMETER_LOW_C && celsius <= THERMOMETER_HIGH_C)) {
		if (++t->broken >= BROKEN_IN_A_ROW) {
			*t = (struct thermometer){.broken = t->broken};
		}
		return THERMOMETER_BROKEN;
	}
	t->broken = 0;
	bool anything = t->known || t->other_support > 0;
	if (!anything) {
		return believe(t, celsius, now_ms, 1);
	}
	if (t->known) {
		double minutes = (double)(now_ms - t->believed_ms) / MS_PER_MINUTE;
		if (fabs(celsius - t->celsius) <= JUMP_C + DRIFT_C_PER_MINUTE * minutes) {
			int more = t->support < AGAINST_MANY ? t->support + 1 : t->support;
			return believe(t, celsius, now_ms, more);
		}
	}
	bool again = t->other_support > 0 && fabs(celsius - t->other_c) <= AGREE_C;
	t->other_support = again ? t->other_support + 1 : 1;
	t->other_c = celsius;
	int needed = t->known && t->support > 1 ? AGAINST_MANY : AGAINST_ONE;
	if (t->other_support >= needed) {
		return believe(t, celsius, now_ms, t->other_support);
	}
	if (t->support <= 1) {
		/* One against one: nobody knows which of them is wrong. */
		t->known = false;
	}
	return THERMOMETER_DOUBTED;
}
