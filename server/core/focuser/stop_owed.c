/* SPDX-License-Identifier: MIT */
#include "stop_owed.h"

#include <stddef.h>

/* Whether a position lies beside the way from where the motion was last seen to its target. */
static bool off_the_way(const struct stopped_motion *of, int32_t position)
{
	int64_t low = of->position < of->target ? of->position : of->target;
	int64_t high = of->position < of->target ? of->target : of->position;
	low -= of->margin;
	high += of->margin;
	if (of->passes) {
		if (of->target < of->position) {
			low = INT32_MIN;
		} else {
			high = INT32_MAX;
		}
	}
	return position < low || position > high;
}

enum stop_verdict stop_owed_judge(const struct stopped_motion *of, const struct stop_seen *seen)
{
	if (!seen->same_device) {
		return STOP_VOID_DEVICE;
	}
	if (seen->calibrating) {
		return of->calibrating || !of->kept_way ? STOP_END_CALIBRATION : STOP_VOID_OTHER;
	}
	bool late = seen->now_ms > of->until_ms;
	if (of->calibrating && !late && !seen->reset && (!seen->rests || !of->calibration_said)) {
		return STOP_END_CALIBRATION;
	}
	if (seen->rests) {
		return STOP_RESTS;
	}
	if (seen->reset) {
		return STOP_VOID_RESET;
	}
	if (late || (of->kept_way && seen->position_known && off_the_way(of, seen->position))) {
		return STOP_VOID_OTHER;
	}
	return STOP_HALT;
}

const char *stop_owed_outcome(enum stop_verdict verdict)
{
	switch (verdict) {
	case STOP_HALT:
		return "STOP was sent when the link was back.";
	case STOP_END_CALIBRATION:
		return "STOP was sent when the link was back: the calibration is ended.";
	case STOP_RESTS:
		return "STOP was not needed any more: the motor was at rest when the link was back.";
	case STOP_VOID_DEVICE:
		return "STOP was not sent: another focuser answers there now.";
	case STOP_VOID_RESET:
		return "STOP was not sent: the focuser began anew while the link was lost, and moves again. "
		       "Press STOP to stop it now.";
	case STOP_VOID_OTHER:
		break;
	}
	return "STOP was not sent: the motion that was to stop is over, and something else moves the focuser. "
	       "Press STOP to stop it now.";
}

const char *stop_owed_words(enum stop_hindrance why, bool unsure)
{
	static const struct {
		const char *unsent, *unsure;
	} words[STOP_HINDRANCES] = {
		[STOP_CABLE] = {
			"STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves.",
			"STOP may not have arrived: the cable is out; it is sent again when the link is back; "
			"cut the power if it moves."},
		[STOP_CONNECTION] = {
			"STOP not sent: the connection is lost; it is sent when the link is back; "
			"cut the power if it moves.",
			"STOP may not have arrived: the connection is lost; it is sent again when the link is back; "
			"cut the power if it moves."},
		[STOP_SILENCE] = {
			"STOP not sent: the focuser does not answer; it is sent when the link is back; "
			"cut the power if it moves.",
			"STOP may not have arrived: the focuser does not answer; it is sent again when the link is "
			"back; cut the power if it moves."},
		[STOP_CLOSED] = {
			"STOP not sent: the link was lost and then closed; it is sent at the next connect; "
			"cut the power if it moves.",
			"STOP may not have arrived: the link was lost and then closed; it is sent again at the next "
			"connect; cut the power if it moves."},
	};
	return unsure ? words[why].unsure : words[why].unsent;
}

const char *stop_needless_words(enum stop_hindrance why)
{
	static const char *const words[STOP_HINDRANCES] = {
		[STOP_CABLE] = "STOP not sent: the cable is out. The motor was at rest before that; "
			       "cut the power if it moves.",
		[STOP_CONNECTION] = "STOP not sent: the connection is lost. The motor was at rest before that; "
				    "cut the power if it moves.",
		[STOP_SILENCE] = "STOP not sent: the focuser does not answer. The motor was at rest before that; "
				 "cut the power if it moves.",
		[STOP_CLOSED] = "STOP not sent: the link is closed; cut the power if it moves.",
	};
	return words[why];
}

const char stop_owed_lapsed[] = "STOP was never sent: the link is not back, and by now the motion that was to stop has "
				"ended by itself. Cut the power if it moves.";
