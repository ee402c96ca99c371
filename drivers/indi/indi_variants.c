/* SPDX-License-Identifier: MIT */
#include "indi_variants.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum indi_thing thing;
	const char *property, *member; /* member NULL: the first */
} rows[] = {
	{INDI_GAIN, "CCD_GAIN", "GAIN"},              /* QHY, SVBONY, libcamera, simulator */
	{INDI_GAIN, "CCD_CONTROLS", "Gain"},          /* ZWO ASI, Player One, ToupTek and its brands */
	{INDI_GAIN, "CCD_GAIN", NULL},
	{INDI_OFFSET, "CCD_OFFSET", "OFFSET"},        /* QHY, SVBONY, ToupTek, simulator */
	{INDI_OFFSET, "CCD_CONTROLS", "Offset"},      /* ZWO ASI, Player One */
	{INDI_OFFSET, "CCD_CONTROLS", "Brightness"},  /* ZWO ASI before 1.7 */
	{INDI_OFFSET, "CCD_OFFSET", NULL},
	{INDI_COOLER_POWER, "CCD_COOLER_POWER", "CCD_COOLER_VALUE"}, /* ZWO ASI, QHY */
	{INDI_COOLER_POWER, "CCD_COOLER_POWER", NULL},
	{INDI_COOLER_POWER, "COOLER_POWER", NULL},
	{INDI_READOUT_MODE, "READ_MODE", "MODE"},     /* QHY: a number, whose meanings are told in its log alone */
	{INDI_READOUT_MODE, "READ_MODE", NULL},       /* QHY before 2020 */
	{INDI_SENSOR_NAME, "CAMERA_INFO", "CAMERA_MODEL"}, /* indi_pylibcamera: "imx477" */
};

struct indi_place indi_place_of(const struct indi_store *store, const char *device, enum indi_thing thing)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct indi_property *p = rows[i].thing == thing
			? indi_store_find(store, device, rows[i].property) : NULL;
		enum indi_type type = thing == INDI_SENSOR_NAME ? INDI_TEXT : INDI_NUMBER;
		const struct indi_member *m = p == NULL || p->type != type || p->members == 0 ? NULL
			: rows[i].member != NULL ? indi_member_find(p, rows[i].member) : &p->member[0];
		if (m != NULL && !isnan(m->value)) {
			return (struct indi_place){p, m};
		}
	}
	return (struct indi_place){NULL, NULL};
}

/* Read-out modes that are switches. */
static const char *const mode_switches[] = {
	"READOUT_QUALITY", /* QSI, Apogee */
	"READOUT_SPEED",   /* FLI, old QHY */
	"READOUT_MODE",    /* INDI's client of Alpaca */
};

static void add_mode(struct indi_modes *modes, int *count, bool first, const char *member, int32_t value,
	const char *label)
{
	int at = first ? 0 : (*count)++;
	if (at >= INDI_MODES_MAX) {
		*count = INDI_MODES_MAX;
		return;
	}
	snprintf(modes->member[at], sizeof modes->member[at], "%s", member);
	snprintf(modes->label[at], sizeof modes->label[at], "%s", label);
	modes->value[at] = value;
}

static void learn_numbers(const struct indi_place *place, struct indi_modes *modes, int *count)
{
	const struct indi_member *m = place->member;
	snprintf(modes->property, sizeof modes->property, "%s", place->property->name);
	for (int32_t value = (int32_t)m->min; value <= m->max; value++) {
		char label[16];
		snprintf(label, sizeof label, "Mode %d", (int)value);
		add_mode(modes, count, value == lround(m->value), m->name, value, label);
	}
}

static void learn_switches(const struct indi_property *p, struct indi_modes *modes, int *count)
{
	snprintf(modes->property, sizeof modes->property, "%s", p->name);
	for (size_t i = 0; i < p->members; i++) {
		const struct indi_member *m = &p->member[i];
		add_mode(modes, count, m->on, m->name, 0, m->label[0] != '\0' ? m->label : m->name);
	}
}

void indi_modes_learn(const struct indi_store *store, const char *device, struct indi_modes *modes)
{
	int count = 1;
	if (modes->name[0] != NULL) {
		return;
	}
	struct indi_place place = indi_place_of(store, device, INDI_READOUT_MODE);
	snprintf(modes->label[0], sizeof modes->label[0], "Normal");
	if (place.member != NULL && place.property->writable && place.member->min >= 0
		&& place.member->max > place.member->min && place.member->max < INDI_MODES_MAX) {
		learn_numbers(&place, modes, &count);
	}
	for (size_t i = 0; i < sizeof mode_switches / sizeof mode_switches[0] && count == 1; i++) {
		const struct indi_property *p = indi_store_find(store, device, mode_switches[i]);
		if (p != NULL && p->type == INDI_SWITCH && p->writable) {
			learn_switches(p, modes, &count);
		}
	}
	for (int i = 0; i < count; i++) {
		modes->name[i] = modes->label[i];
	}
}

const struct indi_posture indi_postures[] = {
	/* Otherwise the picture goes to a disk and to nobody else. */
	{"UPLOAD_MODE", "UPLOAD_CLIENT", "UPLOAD_LOCAL"},
	/* Native formats are the raw files of DSLRs and others. */
	{"CCD_TRANSFER_FORMAT", "FORMAT_FITS", NULL},
	/* On loopback it costs more than it saves. */
	{"CCD_COMPRESSION", "INDI_DISABLED", NULL},
	{"CCD_COMPRESSION", "CCD_RAW", "CCD_COMPRESS"}, /* libindi before 1.9 */
	/* Pictures one after another without being asked for. */
	{"CCD_FAST_TOGGLE", "INDI_DISABLED", NULL},
};
const size_t indi_postures_count = sizeof indi_postures / sizeof indi_postures[0];

bool indi_mosaic(const struct indi_store *store, const char *device, int *red_x, int *red_y)
{
	const struct indi_member *m = indi_member_find(indi_store_find(store, device, "CCD_CFA"), "CFA_TYPE");
	const char *cells = m != NULL && m->text != NULL ? m->text : "";
	const char *red = strlen(cells) == 4 ? strchr(cells, 'R') : NULL;
	if (red == NULL || strspn(cells, "RGB") != 4) {
		return false;
	}
	const struct indi_property *p = indi_store_find(store, device, "CCD_CFA");
	const struct indi_member *x = indi_member_find(p, "CFA_OFFSET_X");
	const struct indi_member *y = indi_member_find(p, "CFA_OFFSET_Y");
	double dx = 0.0, dy = 0.0;
	/* The offsets are texts. */
	bool shifted_x = x != NULL && x->text != NULL && indi_number_parse(x->text, &dx) && lround(dx) % 2 != 0;
	bool shifted_y = y != NULL && y->text != NULL && indi_number_parse(y->text, &dy) && lround(dy) % 2 != 0;
	*red_x = (int)((red - cells) % 2) ^ (shifted_x ? 1 : 0);
	*red_y = (int)((red - cells) / 2) ^ (shifted_y ? 1 : 0);
	return true;
}
