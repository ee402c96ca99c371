/* SPDX-License-Identifier: MIT */
#include "indi_variants.h"

#include <math.h>
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
};

struct indi_place indi_place_of(const struct indi_store *store, const char *device, enum indi_thing thing)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct indi_property *p = rows[i].thing == thing
			? indi_store_find(store, device, rows[i].property) : NULL;
		const struct indi_member *m = p == NULL || p->type != INDI_NUMBER || p->members == 0 ? NULL
			: rows[i].member != NULL ? indi_member_find(p, rows[i].member) : &p->member[0];
		if (m != NULL && !isnan(m->value)) {
			return (struct indi_place){p, m};
		}
	}
	return (struct indi_place){NULL, NULL};
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
