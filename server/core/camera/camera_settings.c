/* SPDX-License-Identifier: MIT */
/* What clients set for the next exposure, and the switch of the cooler: one row for each setting. */
#include "camera_private.h"

#include <stddef.h>

struct setting {
	const char *name;    /* begins the sentence about a value outside the range; NULL: every value is taken */
	const char *feature; /* of a camera that has the setting; NULL: every camera has it */
	size_t has;          /* where struct camera_caps says so, a bool; with feature */
	void (*range)(const struct camera_caps *caps, int32_t *lowest, int32_t *highest); /* with name */
	void (*take)(struct device *dev, int32_t value); /* a value that is in order; the lock is held */
};

static void bin_range(const struct camera_caps *caps, int32_t *lowest, int32_t *highest)
{
	*lowest = 1;
	*highest = caps->max_bin;
}

static void gain_range(const struct camera_caps *caps, int32_t *lowest, int32_t *highest)
{
	*lowest = caps->gain_min;
	*highest = caps->gain_max;
}

static void offset_range(const struct camera_caps *caps, int32_t *lowest, int32_t *highest)
{
	*lowest = caps->offset_min;
	*highest = caps->offset_max;
}

static void readout_range(const struct camera_caps *caps, int32_t *lowest, int32_t *highest)
{
	*lowest = 0;
	*highest = -1;
	while (caps->readout_modes != NULL && caps->readout_modes[*highest + 1] != NULL) {
		++*highest;
	}
}

static void take_bin(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.bin = value;
}

static void take_start_x(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.start_x = value;
}

static void take_start_y(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.start_y = value;
}

static void take_num_x(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.num_x = value;
}

static void take_num_y(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.num_y = value;
}

static void take_gain(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.gain = value;
}

static void take_offset(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.offset = value;
}

static void take_readout_mode(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.readout_mode = value;
}

static void take_fast_readout(struct device *dev, int32_t value)
{
	camera_of(dev)->setup.fast_readout = value != 0;
}

static void take_cooler(struct device *dev, int32_t value)
{
	camera_climate_cool(dev, value != 0);
}

#define CAP(field) offsetof(struct camera_caps, field)

static const struct setting settings[] = {
	[CAMERA_SET_BIN] = {"binning", NULL, 0, bin_range, take_bin},
	[CAMERA_SET_START_X] = {NULL, NULL, 0, NULL, take_start_x},
	[CAMERA_SET_START_Y] = {NULL, NULL, 0, NULL, take_start_y},
	[CAMERA_SET_NUM_X] = {NULL, NULL, 0, NULL, take_num_x},
	[CAMERA_SET_NUM_Y] = {NULL, NULL, 0, NULL, take_num_y},
	[CAMERA_SET_GAIN] = {"gain", "gain setting", CAP(has_gain), gain_range, take_gain},
	[CAMERA_SET_OFFSET] = {"offset", "offset setting", CAP(has_offset), offset_range, take_offset},
	[CAMERA_SET_READOUT_MODE] = {"readout mode", NULL, 0, readout_range, take_readout_mode},
	[CAMERA_SET_FAST_READOUT] = {NULL, "fast readout", CAP(can_fast_readout), NULL, take_fast_readout},
	[CAMERA_SET_COOLER] = {NULL, "cooler", CAP(has_cooler), NULL, take_cooler},
};

static enum err_code set_locked(struct device *dev, enum camera_setting what, int32_t value, struct err *err)
{
	const struct camera_caps *caps = &camera_of(dev)->caps;
	if ((size_t)what >= sizeof settings / sizeof settings[0]) {
		return err_set(err, ERR_INTERNAL, "no such setting");
	}
	const struct setting *s = &settings[what];
	if (s->feature != NULL && !*(const bool *)((const char *)caps + s->has)) {
		return err_set(err, ERR_NOT_IMPLEMENTED, "%s has no %s", dev->info.name, s->feature);
	}
	int32_t lowest = value;
	int32_t highest = value;
	if (s->range != NULL) {
		s->range(caps, &lowest, &highest);
	}
	if (value < lowest || value > highest) {
		return err_set(err, ERR_INVALID_VALUE, "%s must be %d to %d, not %d", s->name, (int)lowest,
			(int)highest, (int)value);
	}
	s->take(dev, value);
	return ERR_OK;
}

enum err_code camera_set(struct device *dev, enum camera_setting what, int32_t value, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK) {
		code = set_locked(dev, what, value, err);
	}
	if (code == ERR_OK) {
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
