/* SPDX-License-Identifier: MIT */
/* A calibration as the action, /events and the page show it. */
#include <math.h>

#include "clock.h"
#include "focuser.h"
#include "json.h"

void focuser_calibration_json(const struct focuser_calibration *c, struct json_writer *w)
{
	char started[CLOCK_UTC_TEXT];
	json_object(w);
	json_key_string(w, "state", focuser_calibration_name(c->state));
	json_key_double(w, "progress", c->state == CALIBRATION_NONE ? NAN : c->progress);
	json_key_int(w, "step", c->step);
	json_key_int(w, "of", c->of);
	json_key(w, "started");
	if (c->started_utc_ms != 0) {
		clock_utc_text(c->started_utc_ms, started);
		json_string(w, started);
	} else {
		json_null(w);
	}
	json_key(w, "limits");
	if (c->limits_known) {
		json_object(w);
		json_key_int(w, "low", c->low);
		json_key_int(w, "high", c->high);
		json_end_object(w);
	} else {
		json_null(w);
	}
	json_key(w, "reason");
	if (c->reason[0] != '\0') {
		json_string(w, c->reason);
	} else {
		json_null(w);
	}
	json_end_object(w);
}
