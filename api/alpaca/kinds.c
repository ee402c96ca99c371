/* SPDX-License-Identifier: MIT */
/* The kinds of devices as Alpaca shows them, one row each. */
#include <stdio.h>
#include <string.h>

#include "alpaca_call.h"
#include "camera.h"
#include "focuser.h"

static void describe_focuser(struct device *dev, char *text, size_t cap)
{
	struct focuser_state state;
	focuser_state(dev, &state);
	text_copy_clean(text, cap, state.identity);
	size_t len = strlen(text);
	if (len > 0 && state.steps_per_turn > 0) {
		snprintf(text + len, cap - len, ", %d steps a turn", (int)state.steps_per_turn);
	}
}

static void describe_camera(struct device *dev, char *text, size_t cap)
{
	struct camera_state state;
	camera_state(dev, &state);
	text_copy_clean(text, cap, state.caps.identity);
}

static const struct alpaca_kind kinds[] = {
	{&focuser_kind, ROUTE_FOCUSER, describe_focuser},
	{&camera_kind, ROUTE_CAMERA, describe_camera},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const struct alpaca_kind *alpaca_kind_of(const struct device_kind *kind)
{
	for (int i = 0; i < KINDS; i++) {
		if (kinds[i].kind == kind) {
			return &kinds[i];
		}
	}
	return NULL;
}

const struct alpaca_kind *alpaca_kind_named(struct span name)
{
	for (int i = 0; i < KINDS; i++) {
		if (span_equal(name, kinds[i].kind->name)) {
			return &kinds[i];
		}
	}
	return NULL;
}

const char *alpaca_kind_names(const char *between, char *text, size_t cap)
{
	size_t len = 0;
	text[0] = '\0';
	for (int i = 0; i < KINDS && len < cap; i++) {
		len += (size_t)snprintf(text + len, cap - len, "%s%s", i > 0 ? between : "", kinds[i].kind->name);
	}
	return text;
}
