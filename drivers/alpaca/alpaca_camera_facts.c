/* SPDX-License-Identifier: MIT */
/* What a camera of another server is and can do: ICameraV2 to V4, Alpaca API Reference. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "alpaca_camera.h"

/* Alpaca does not tell the limits of the set point; a client learns them by trying.  No camera can reach these. */
#define SET_POINT_MIN_C (-273.0)
#define SET_POINT_MAX_C 99.0
/* The longest exposure of a camera that does not tell its own, s. */
#define EXPOSURE_MAX_S 3600.0

/* How a member is asked.  Those with a flag may be missing (0x400), and the flag says that they are not. */
enum asked { ASK_BOOL, ASK_INT, ASK_DOUBLE, ASK_NAME, ASK_MODES, ASK_COUNT };

struct row {
	const char *member;
	enum asked how;
	size_t at;           /* where the value goes */
	size_t flag;         /* where the flag is; NEEDED: it must be there; SPARE: it may be missing, nobody asks */
	size_t only_with;    /* a bool: asked only where it is true; ALWAYS */
};

#define NEEDED SIZE_MAX
#define SPARE (SIZE_MAX - 1)
#define ALWAYS SIZE_MAX
#define AT(member) offsetof(struct alpaca_camera_facts, member)

static const struct row rows[] = {
	{"cameraxsize", ASK_INT, AT(x_size), NEEDED, ALWAYS},
	{"cameraysize", ASK_INT, AT(y_size), NEEDED, ALWAYS},
	{"maxbinx", ASK_INT, AT(max_bin_x), NEEDED, ALWAYS},
	{"maxbiny", ASK_INT, AT(max_bin_y), NEEDED, ALWAYS},
	{"canabortexposure", ASK_BOOL, AT(can_abort), NEEDED, ALWAYS},
	{"canstopexposure", ASK_BOOL, AT(can_stop), NEEDED, ALWAYS},
	{"exposuremin", ASK_DOUBLE, AT(exposure_min_s), SPARE, ALWAYS},
	{"exposuremax", ASK_DOUBLE, AT(exposure_max_s), SPARE, ALWAYS},
	{"exposureresolution", ASK_DOUBLE, AT(exposure_step_s), SPARE, ALWAYS},
	{"pixelsizex", ASK_DOUBLE, AT(pixel_um), SPARE, ALWAYS},
	{"sensortype", ASK_INT, AT(sensor_type), AT(has_sensor_type), ALWAYS},
	{"bayeroffsetx", ASK_INT, AT(bayer_x), SPARE, AT(has_sensor_type)},
	{"bayeroffsety", ASK_INT, AT(bayer_y), SPARE, AT(has_sensor_type)},
	{"sensorname", ASK_NAME, AT(sensor_name), SPARE, ALWAYS},
	{"maxadu", ASK_INT, AT(max_adu), SPARE, ALWAYS},
	{"electronsperadu", ASK_DOUBLE, AT(electrons_per_adu), SPARE, ALWAYS},
	{"fullwellcapacity", ASK_DOUBLE, AT(full_well_e), SPARE, ALWAYS},
	{"hasshutter", ASK_BOOL, AT(has_shutter), SPARE, ALWAYS},
	{"gain", ASK_INT, AT(gain), AT(has_gain), ALWAYS},
	{"gains", ASK_COUNT, AT(gain_names), SPARE, AT(has_gain)},
	{"gainmin", ASK_INT, AT(gain_min), SPARE, AT(has_gain)},
	{"gainmax", ASK_INT, AT(gain_max), SPARE, AT(has_gain)},
	{"offset", ASK_INT, AT(offset), AT(has_offset), ALWAYS},
	{"offsets", ASK_COUNT, AT(offset_names), SPARE, AT(has_offset)},
	{"offsetmin", ASK_INT, AT(offset_min), SPARE, AT(has_offset)},
	{"offsetmax", ASK_INT, AT(offset_max), SPARE, AT(has_offset)},
	{"readoutmodes", ASK_MODES, AT(mode_name), SPARE, ALWAYS},
	{"canfastreadout", ASK_BOOL, AT(can_fast), SPARE, ALWAYS},
	{"ccdtemperature", ASK_DOUBLE, AT(celsius), AT(has_temperature), ALWAYS},
	{"heatsinktemperature", ASK_DOUBLE, AT(celsius), AT(has_heatsink), ALWAYS},
	{"cansetccdtemperature", ASK_BOOL, AT(can_set_temperature), SPARE, ALWAYS},
	{"cooleron", ASK_BOOL, AT(cooler_on), AT(has_cooler), AT(can_set_temperature)},
	{"setccdtemperature", ASK_DOUBLE, AT(set_point_c), SPARE, AT(has_cooler)},
	{"cangetcoolerpower", ASK_BOOL, AT(can_power), SPARE, ALWAYS},
	{"canpulseguide", ASK_BOOL, AT(can_guide), SPARE, ALWAYS},
};
#define ROWS (int)(sizeof rows / sizeof rows[0])

/* The doubles that stay unknown when the camera does not have them. */
static void forget(struct alpaca_camera_facts *facts)
{
	*facts = (struct alpaca_camera_facts){
		.pixel_um = NAN, .exposure_min_s = NAN, .exposure_max_s = NAN, .exposure_step_s = NAN,
		.electrons_per_adu = NAN, .full_well_e = NAN, .set_point_c = NAN, .celsius = NAN};
}

static void take_modes(const struct alpaca_answer *answer, struct alpaca_camera_facts *facts)
{
	int count = 0;
	const struct json *element;
	const char *name;
	while (count < ALPACA_MODES_MAX && (element = json_element(answer->value, count)) != NULL &&
		json_as_string(element, &name)) {
		text_copy_clean(facts->mode_name[count], sizeof facts->mode_name[count], name);
		count++;
	}
}

static int32_t count_of(const struct alpaca_answer *answer)
{
	int32_t count = 0;
	while (count < INT16_MAX && json_element(answer->value, count) != NULL) {
		count++;
	}
	return count;
}

/* Reads a list or a name; what cannot be read of these is left out. */
static enum err_code ask_list(struct alpaca_client *c, const struct row *row, struct alpaca_camera_facts *facts,
	int64_t deadline_ms, struct err *err)
{
	struct alpaca_answer answer;
	const char *name;
	enum err_code code = alpaca_get(c, row->member, deadline_ms, &answer, err);
	if (code == ERR_OK && answer.value != NULL) {
		if (row->how == ASK_MODES) {
			take_modes(&answer, facts);
		} else if (row->how == ASK_COUNT) {
			*(int32_t *)(void *)((char *)facts + row->at) = count_of(&answer);
		} else if (json_as_string(answer.value, &name)) {
			text_copy_clean((char *)facts + row->at, sizeof facts->sensor_name, name);
		}
	}
	alpaca_answer_fini(&answer);
	return code;
}

static enum err_code ask_row(struct alpaca_client *c, const struct row *row, struct alpaca_camera_facts *facts,
	int64_t deadline_ms, struct err *err)
{
	void *to = (char *)facts + row->at;
	switch (row->how) {
	case ASK_BOOL:
		return alpaca_get_bool(c, row->member, deadline_ms, to, err);
	case ASK_INT:
		return alpaca_get_int(c, row->member, deadline_ms, to, err);
	case ASK_DOUBLE:
		return alpaca_get_double(c, row->member, deadline_ms, to, err);
	case ASK_NAME:
	case ASK_MODES:
	case ASK_COUNT:
		break;
	}
	return ask_list(c, row, facts, deadline_ms, err);
}

/* Whether the question itself failed, and not only the device had no answer. */
static bool line_failed(enum err_code code)
{
	return code == ERR_IO || code == ERR_TIMEOUT || code == ERR_CANCELLED || code == ERR_NOMEM;
}

enum err_code alpaca_camera_ask(struct alpaca_client *c, struct alpaca_camera_facts *facts, int64_t deadline_ms,
	struct err *err)
{
	if (facts->next == 0) {
		forget(facts);
	}
	for (; facts->next < ROWS; facts->next++) {
		const struct row *row = &rows[facts->next];
		if (row->only_with != ALWAYS && !*(bool *)((char *)facts + row->only_with)) {
			continue;
		}
		enum err_code code = ask_row(c, row, facts, deadline_ms, err);
		if (line_failed(code) || (code != ERR_OK && row->flag == NEEDED)) {
			return code;
		}
		if (row->flag < SPARE) {
			/* A value that cannot be told at this moment (a sensor that wakes up) is there all the same. */
			*(bool *)((char *)facts + row->flag) = code == ERR_OK || code == ERR_VALUE_NOT_SET;
		}
	}
	if (facts->x_size < 1 || facts->y_size < 1 || facts->max_bin_x < 1 || facts->max_bin_y < 1) {
		facts->next = 0;
		return err_set(err, ERR_PROTOCOL, "%s says that its camera has %dx%d pixels and bins %dx%d at most",
			alpaca_http_name(c->http), (int)facts->x_size, (int)facts->y_size, (int)facts->max_bin_x,
			(int)facts->max_bin_y);
	}
	return ERR_OK;
}

/* Names in the place of limits are chosen by their number, from 0 on. */
static void limits(int32_t value, int32_t names, int32_t low, int32_t high, int32_t out[3])
{
	out[0] = names > 0 ? 0 : low;
	out[1] = names > 0 ? names - 1 : high;
	out[2] = value < out[0] ? out[0] : value > out[1] ? out[1] : value;
}

/* The smallest type that holds what the camera says its pixels have. */
static enum image_type type_of(int32_t max_adu)
{
	if (max_adu < 1 || max_adu > UINT16_MAX) {
		return IMAGE_I32;
	}
	return max_adu <= UINT8_MAX ? IMAGE_U8 : IMAGE_U16;
}

static void cooling_caps(const struct alpaca_camera_facts *facts, struct camera_caps *caps)
{
	caps->has_temperature = facts->has_temperature;
	caps->has_heatsink = facts->has_heatsink;
	caps->has_cooler = facts->has_cooler;
	caps->has_cooler_power = facts->can_power;
	caps->set_point_min_c = SET_POINT_MIN_C;
	caps->set_point_max_c = SET_POINT_MAX_C;
	caps->set_point_default_c = isfinite(facts->set_point_c) ? facts->set_point_c : 0.0;
	caps->cooler_on = facts->cooler_on;
}

static const char *const usual_modes[] = {"Normal", NULL};

void alpaca_camera_caps(const struct alpaca_client *c, const struct alpaca_camera_facts *facts,
	struct camera_caps *caps)
{
	int32_t gain[3], offset[3];
	limits(facts->gain, facts->gain_names, facts->gain_min, facts->gain_max, gain);
	limits(facts->offset, facts->offset_names, facts->offset_min, facts->offset_max, offset);
	memset(caps, 0, sizeof *caps);
	caps->width = facts->x_size;
	caps->height = facts->y_size;
	caps->max_bin = facts->max_bin_x < facts->max_bin_y ? facts->max_bin_x : facts->max_bin_y;
	caps->can_abort = facts->can_abort;
	caps->can_stop = facts->can_stop;
	caps->pixel_um = facts->pixel_um;
	caps->sensor_type = facts->has_sensor_type && facts->sensor_type >= 0 && facts->sensor_type <= 5
		? facts->sensor_type : 0;
	caps->bayer_offset_x = facts->bayer_x;
	caps->bayer_offset_y = facts->bayer_y;
	snprintf(caps->sensor_name, sizeof caps->sensor_name, "%s", facts->sensor_name);
	snprintf(caps->identity, sizeof caps->identity, "%.63s", c->name[0] != '\0' ? c->name : "Alpaca camera");
	caps->exposure_min_s = facts->exposure_min_s >= 0 ? facts->exposure_min_s : 0.0;
	caps->exposure_max_s = facts->exposure_max_s > 0 ? facts->exposure_max_s : EXPOSURE_MAX_S;
	caps->exposure_resolution_s = facts->exposure_step_s >= 0 ? facts->exposure_step_s : 0.0;
	caps->frame_type = type_of(facts->max_adu);
	caps->max_adu = facts->max_adu > 0 ? facts->max_adu : INT32_MAX;
	caps->electrons_per_adu = facts->electrons_per_adu;
	caps->full_well_e = facts->full_well_e;
	caps->has_gain = facts->has_gain && gain[1] >= gain[0];
	caps->gain_min = gain[0];
	caps->gain_max = gain[1];
	caps->gain_default = gain[2];
	caps->has_offset = facts->has_offset && offset[1] >= offset[0];
	caps->offset_min = offset[0];
	caps->offset_max = offset[1];
	caps->offset_default = offset[2];
	caps->has_shutter = facts->has_shutter;
	caps->can_fast_readout = facts->can_fast;
	caps->readout_modes = facts->mode[0] != NULL && !facts->can_fast ? facts->mode : usual_modes;
	caps->can_pulse_guide = facts->can_guide;
	cooling_caps(facts, caps);
}
