/* SPDX-License-Identifier: MIT */
#include "position_verdict.h"

#include <stdio.h>
#include <string.h>

static int64_t distance(int32_t a, int32_t b)
{
	return a > b ? (int64_t)a - b : (int64_t)b - a;
}

static int32_t narrow(int64_t steps)
{
	return steps > INT32_MAX ? INT32_MAX : steps < INT32_MIN ? INT32_MIN : (int32_t)steps;
}

/* A motor's position as clients see it. */
static int number(const struct position_seen *seen, int64_t motor)
{
	return (int)numbering_published(&seen->numbering, motor);
}

/* "2026-11-21 03:12" of an entry's time; seconds help nobody. */
static const char *minute(const struct position_entry *last, char out[17])
{
	snprintf(out, 17, "%.10s %.5s", last->time, strlen(last->time) > 11 ? last->time + 11 : "");
	return out;
}

static bool same_device(const struct position_entry *last, const struct position_seen *seen)
{
	bool other_port = last->port_serial[0] != '\0' && seen->port_serial[0] != '\0' &&
			  strcmp(last->port_serial, seen->port_serial) != 0;
	return strcmp(last->driver, seen->driver) == 0 && !other_port;
}

/* What the journal says of the count that was right: where the motor stood by it. */
static int64_t remembered(const struct position_entry *last)
{
	return (int64_t)last->position + (last->offset_known ? last->offset : 0);
}

static void carry_offset(const struct position_entry *last, const struct position_seen *seen,
	struct position_verdict *out)
{
	out->offset_known = true;
	out->offset = narrow(remembered(last) - seen->position);
}

/* How wrong the device's count can be: by the remembered count the motor is somewhere on its way, or as far beside
 * where it rested as that was wrong already. */
static void carry_span(const struct position_entry *last, const struct position_seen *seen,
	struct position_verdict *out)
{
	int64_t low = last->moving ? last->low : last->position;
	int64_t high = last->moving ? last->high : last->position;
	int64_t shift = last->offset_known ? last->offset : 0;
	out->span_known = true;
	out->span_low = narrow(low + (last->span_known ? last->span_low : shift) - seen->position);
	out->span_high = narrow(high + (last->span_known ? last->span_high : shift) - seen->position);
}

/* Whether a motor that was on a way rests where focusd meant it to: at the target, or at the end of the way where it
 * turns when it overshoots. */
static bool rests_as_told(const struct position_entry *last, const struct position_seen *seen, int64_t margin)
{
	return distance(seen->position, last->target) <= margin || distance(seen->position, last->low) <= margin ||
	       distance(seen->position, last->high) <= margin;
}

static void judge_rest(const struct position_entry *last, const struct position_seen *seen,
	struct position_verdict *out)
{
	char when[17];
	if (distance(seen->position, last->position) <= seen->tolerance) {
		return;
	}
	if (seen->keeps) {
		snprintf(out->note, sizeof out->note, "moved from %d to %d while focusd was not there",
			number(seen, last->position), number(seen, seen->position));
		return;
	}
	out->trust = POSITION_SHIFTED;
	const char *device = strcmp(last->device, seen->device) != 0 ? "Another device or firmware" : "It";
	if (seen->position == 0) {
		snprintf(out->why, sizeof out->why,
			"%s says %d, as after a reset, but stood at %d (last seen %s UTC)", device,
			number(seen, 0), number(seen, remembered(last)), minute(last, when));
	} else {
		snprintf(out->why, sizeof out->why,
			"%s says %d, but stood at %d (last seen %s UTC): a reset, or it was moved by "
			"something else",
			device, number(seen, seen->position), number(seen, remembered(last)),
			minute(last, when));
	}
	carry_offset(last, seen, out);
	if (last->span_known) {
		carry_span(last, seen, out);
	}
}

static void judge_moving(const struct position_entry *last, const struct position_seen *seen,
	struct position_verdict *out)
{
	int64_t margin = seen->tolerance > POSITION_WAY_MARGIN ? seen->tolerance : POSITION_WAY_MARGIN;
	bool on_way = seen->position >= last->low - margin && seen->position <= last->high + margin;
	if (seen->keeps) {
		if (!on_way) {
			snprintf(out->note, sizeof out->note,
				"moved to %d while focusd was not there, not to %d as it was told",
				number(seen, seen->position), number(seen, last->target));
		}
		return;
	}
	const char *what = NULL;
	if (!on_way) {
		what = "which is not on that way";
	} else if (seen->position == 0 && !seen->moving) {
		what = "as after a reset";
	} else if (seen->reset) {
		what = "after a reset";
	} else if (!seen->moving && distance(seen->position, last->from) <= seen->tolerance &&
		   distance(seen->position, last->target) > seen->tolerance) {
		/* Most moves are over before the way is noted a second time, so it says nothing that the motor was
		 * not seen further. */
		what = "where that move began";
	} else if (!seen->moving && !seen->halted && !rests_as_told(last, seen, margin)) {
		what = "where nobody here stopped it";
	}
	if (what == NULL) {
		return;
	}
	out->trust = POSITION_UNKNOWN;
	char when[17];
	snprintf(out->why, sizeof out->why,
		"It was moving from %d to %d (last seen at %d, %s UTC) and now says %d, %s",
		number(seen, last->from), number(seen, last->target), number(seen, last->position),
		minute(last, when), number(seen, seen->position), what);
	carry_offset(last, seen, out);
	carry_span(last, seen, out);
}

/* Whether a calibration lies between the journal and now, so that their numbers cannot be compared. */
static bool numbered_anew(const struct position_entry *last, const struct position_seen *seen)
{
	const struct numbering *then = &last->numbering;
	const struct numbering *now = &seen->numbering;
	return then->known && now->known && now->calibrated &&
	       (then->high != now->high || (!last->before_shift && then->low != now->low));
}

void position_judge(enum position_found found, const struct position_entry *last,
	const struct position_seen *seen, struct position_verdict *out)
{
	*out = (struct position_verdict){.trust = POSITION_KNOWN};
	if (found == POSITION_DAMAGED) {
		out->trust = POSITION_UNKNOWN;
		snprintf(out->why, sizeof out->why,
			"What was remembered of the position is damaged; it says %d",
			number(seen, seen->position));
		return;
	}
	if (last == NULL) {
		return;
	}
	if (!same_device(last, seen)) {
		snprintf(out->note, sizeof out->note,
			"another focuser than the one remembered; its own word counts, position %d",
			number(seen, seen->position));
		return;
	}
	if (numbered_anew(last, seen)) {
		snprintf(out->note, sizeof out->note,
			"was calibrated while focusd was not there: its limits are %d and %d now, and it stands at %d",
			(int)seen->numbering.low, (int)seen->numbering.high, number(seen, seen->position));
	} else if (last->moving) {
		judge_moving(last, seen, out);
	} else {
		judge_rest(last, seen, out);
	}
	if (last->trust == POSITION_KNOWN) {
		return;
	}
	bool settled = last->trust == POSITION_SHIFTED && last->offset_known && !last->moving && !seen->moving &&
		       distance(narrow(remembered(last)), seen->position) <= seen->tolerance;
	if (settled) {
		*out = (struct position_verdict){.trust = POSITION_KNOWN};
		snprintf(out->note, sizeof out->note, "says again where it was remembered, position %d",
			number(seen, seen->position));
		return;
	}
	if (out->trust == POSITION_KNOWN) {
		/* The device kept its count, and with it the doubt about the count stays. */
		out->trust = last->trust;
		out->offset_known = last->offset_known;
		out->offset = last->offset;
		out->span_known = last->span_known;
		out->span_low = last->span_low;
		out->span_high = last->span_high;
		snprintf(out->why, sizeof out->why, "%s", last->why);
		return;
	}
	out->trust = last->trust == POSITION_UNKNOWN ? POSITION_UNKNOWN : out->trust;
	if (!last->offset_known && !last->span_known && last->trust == POSITION_UNKNOWN) {
		/* After a stall not even the remembered number was to be relied on. */
		out->span_known = false;
		snprintf(out->why, sizeof out->why, "%s", last->why);
	}
}
