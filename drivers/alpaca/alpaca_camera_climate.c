/* SPDX-License-Identifier: MIT */
/* Temperatures, cooler and guide port of a camera of another server. */
#include <math.h>
#include <stdio.h>

#include "alpaca_camera.h"
#include "moment.h"

/* A guide pulse that goes on is looked at this often. */
#define GUIDING_LOOK_MS 100

/* A value that cannot be read at this moment is unknown, and no failure. */
static enum err_code read_value(struct alpaca_camera *a, const char *member, bool wanted, int64_t deadline_ms,
	double *out, struct err *err)
{
	struct err why;
	*out = NAN;
	enum err_code code = wanted ? alpaca_get_double(&a->client, member, deadline_ms, out, &why) : ERR_OK;
	return code == ERR_IO || code == ERR_TIMEOUT || code == ERR_CANCELLED ? err_copy(err, &why) : ERR_OK;
}

enum err_code alpaca_camera_climate(void *ctx, struct camera_climate *out, struct err *err)
{
	struct alpaca_camera *a = ctx;
	const struct alpaca_camera_facts *facts = &a->facts;
	int64_t deadline_ms = real_ms() + ALPACA_CAMERA_CALL_MS;
	struct camera_climate climate = {.sensor_c = NAN, .heatsink_c = NAN, .power_percent = NAN};
	enum err_code code = alpaca_camera_require_link(a, err);
	if (code == ERR_OK) {
		code = read_value(a, "ccdtemperature", facts->has_temperature, deadline_ms, &climate.sensor_c, err);
	}
	if (code == ERR_OK) {
		code = read_value(a, "heatsinktemperature", facts->has_heatsink, deadline_ms, &climate.heatsink_c, err);
	}
	if (code == ERR_OK) {
		code = read_value(a, "coolerpower", facts->can_power, deadline_ms, &climate.power_percent, err);
	}
	if (code == ERR_OK && facts->can_guide) {
		code = alpaca_get_bool(&a->client, "ispulseguiding", deadline_ms, &climate.guiding, err);
	}
	if (code == ERR_OK) {
		climate.next_poll_ms = climate.guiding ? GUIDING_LOOK_MS : 0;
		*out = climate;
	}
	return code;
}

enum err_code alpaca_camera_cooler(void *ctx, bool on, double set_point_c, struct err *err)
{
	struct alpaca_camera *a = ctx;
	int64_t deadline_ms = real_ms() + ALPACA_CAMERA_CALL_MS;
	char fields[80], degrees[32];
	text_print_double(degrees, set_point_c);
	snprintf(fields, sizeof fields, "SetCCDTemperature=%s", degrees);
	enum err_code code = alpaca_camera_require_link(a, err);
	if (code == ERR_OK) {
		code = alpaca_put(&a->client, ALPACA_ASK, "setccdtemperature", fields, deadline_ms, err);
	}
	return code != ERR_OK ? code
			      : alpaca_put(&a->client, ALPACA_ASK, "cooleron", on ? "CoolerOn=True" : "CoolerOn=False",
					deadline_ms, err);
}

enum err_code alpaca_camera_pulse(void *ctx, enum camera_guide direction, int32_t duration_ms, struct err *err)
{
	struct alpaca_camera *a = ctx;
	char fields[80];
	snprintf(fields, sizeof fields, "Direction=%d&Duration=%d", (int)direction, (int)duration_ms);
	enum err_code code = alpaca_camera_require_link(a, err);
	return code != ERR_OK ? code
			      : alpaca_put(&a->client, ALPACA_ASK, "pulseguide", fields,
					real_ms() + ALPACA_CAMERA_CALL_MS, err);
}
