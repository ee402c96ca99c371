/* SPDX-License-Identifier: MIT */
#include "indi_camera_facts.h"

#include <math.h>
#include <stdio.h>

#include "indi_variants.h"
#include "text.h"

/* Alpaca wants one factor for both axes; more than this nobody focuses with. */
#define BIN_MAX 8

bool indi_camera_told(const struct indi_store *store, const char *device)
{
	return indi_store_number(store, device, "CCD_INFO", "CCD_MAX_X") > 0
		&& indi_store_number(store, device, "CCD_INFO", "CCD_MAX_Y") > 0
		&& indi_store_find(store, device, "CCD_EXPOSURE") != NULL
		&& indi_store_find(store, device, INDI_PICTURE) != NULL;
}

static int int_of(double value, int otherwise)
{
	return isfinite(value) && fabs(value) < 1e9 ? (int)lround(value) : otherwise;
}

/* A number with a range, as gain and offset are. */
static bool read_range(const struct indi_store *store, const char *device, enum indi_thing thing, int *low, int *high,
	int *now)
{
	struct indi_place place = indi_place_of(store, device, thing);
	if (place.member == NULL || !place.property->writable || !(place.member->max > place.member->min)) {
		return false;
	}
	*low = int_of(ceil(place.member->min), 0);
	*high = int_of(floor(place.member->max), 0);
	*now = int_of(place.member->value, *low);
	*now = *now < *low ? *low : *now > *high ? *high : *now;
	return *high >= *low;
}

static void read_cooler(const struct indi_store *store, const char *device, struct camera_caps *caps)
{
	const struct indi_property *p = indi_store_find(store, device, "CCD_TEMPERATURE");
	const struct indi_member *m = indi_member_find(p, "CCD_TEMPERATURE_VALUE");
	caps->has_temperature = m != NULL && isfinite(m->value);
	caps->has_cooler = caps->has_temperature && p->writable && m->max > m->min;
	if (caps->has_cooler) {
		caps->set_point_min_c = m->min;
		caps->set_point_max_c = m->max;
		caps->set_point_default_c = fmin(fmax(0.0, m->min), m->max);
	}
	caps->has_cooler_power = caps->has_cooler && indi_place_of(store, device, INDI_COOLER_POWER).member != NULL;
}

/* What an element is: by the pictures that were seen, else by the bits that the camera says it has. */
static void read_shape(const struct indi_store *store, const char *device, struct indi_shape *shape,
	struct camera_caps *caps)
{
	double bits = indi_store_number(store, device, "CCD_INFO", "CCD_BITSPERPIXEL");
	int seen = atomic_load(&shape->type);
	caps->frame_type = seen > 0 ? (enum image_type)(seen - 1) : bits > 16 ? IMAGE_I32
		: bits > 0 && bits <= 8 ? IMAGE_U8 : IMAGE_U16;
	caps->max_adu = caps->frame_type == IMAGE_U8 ? UINT8_MAX : caps->frame_type == IMAGE_U16 ? UINT16_MAX
		: caps->frame_type == IMAGE_I32 ? INT32_MAX : 0;
	if (atomic_load(&shape->planes) == 3) {
		caps->sensor_type = 1;
	} else if (indi_mosaic(store, device, &caps->bayer_offset_x, &caps->bayer_offset_y)) {
		caps->sensor_type = 2;
	} else if (atomic_load(&shape->red) > 0) {
		int red = atomic_load(&shape->red) - 1;
		caps->sensor_type = 2;
		caps->bayer_offset_x = red % 2;
		caps->bayer_offset_y = red / 2;
	}
}

void indi_camera_facts(const struct indi_store *store, const char *device, struct indi_shape *shape,
	double pixel_size_um, struct camera_caps *caps)
{
	const struct indi_member *x = indi_member_find(indi_store_find(store, device, "CCD_BINNING"), "HOR_BIN");
	const struct indi_member *y = indi_member_find(indi_store_find(store, device, "CCD_BINNING"), "VER_BIN");
	double bin = x != NULL && y != NULL ? fmin(fmin(x->max, y->max), BIN_MAX) : 1.0;
	caps->width = int_of(indi_store_number(store, device, "CCD_INFO", "CCD_MAX_X"), 0);
	caps->height = int_of(indi_store_number(store, device, "CCD_INFO", "CCD_MAX_Y"), 0);
	caps->max_bin = bin >= 1.0 ? (int)bin : 1;
	caps->can_abort = indi_store_find(store, device, "CCD_ABORT_EXPOSURE") != NULL;
	double pixel = indi_store_number(store, device, "CCD_INFO", "CCD_PIXEL_SIZE_X");
	pixel = pixel > 0 ? pixel : indi_store_number(store, device, "CCD_INFO", "CCD_PIXEL_SIZE");
	caps->pixel_um = pixel_size_um > 0 ? pixel_size_um : pixel > 0 ? pixel : NAN;
	const struct indi_member *e = indi_member_find(indi_store_find(store, device, "CCD_EXPOSURE"),
		"CCD_EXPOSURE_VALUE");
	bool limited = e != NULL && e->max > e->min;
	caps->exposure_min_s = limited && e->min > 0 ? e->min : 0.0;
	/* Where the camera knows no limit: what INDI's own default is. */
	caps->exposure_max_s = limited ? e->max : 3600.0;
	caps->has_gain = read_range(store, device, INDI_GAIN, &caps->gain_min, &caps->gain_max, &caps->gain_default);
	caps->has_offset = read_range(store, device, INDI_OFFSET, &caps->offset_min, &caps->offset_max,
		&caps->offset_default);
	caps->electrons_per_adu = NAN;
	caps->full_well_e = NAN;
	struct indi_place name = indi_place_of(store, device, INDI_SENSOR_NAME);
	if (name.member != NULL && name.member->text != NULL) {
		text_copy_clean(caps->sensor_name, sizeof caps->sensor_name, name.member->text);
	}
	indi_modes_learn(store, device, &shape->modes);
	caps->readout_modes = shape->modes.name;
	caps->can_pulse_guide = indi_store_find(store, device, INDI_GUIDE_NS) != NULL
		&& indi_store_find(store, device, INDI_GUIDE_WE) != NULL;
	snprintf(caps->identity, sizeof caps->identity, "INDI: %.50s", device);
	read_cooler(store, device, caps);
	read_shape(store, device, shape, caps);
}
