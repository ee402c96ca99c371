/* SPDX-License-Identifier: MIT */
/* See climate.h. */
#include "climate.h"

#include <math.h>

#include "camera_private.h"

/* Temperatures are slow, so they are read this often when the driver gives no hint. */
#define CLIMATE_POLL_MS 2000
/* A clock that is faster than this must not turn the polling into a busy loop. */
#define CLIMATE_FASTEST 100.0
/* After so many failed readings in a row the last values are forgotten. */
#define CLIMATE_FAILURES 3

static const struct camera_climate climate_unknown = {
	.sensor_c = NAN, .heatsink_c = NAN, .power_percent = NAN};

static int64_t poll_interval_ms(struct device *dev, int hint_ms)
{
	if (hint_ms > 0) {
		return hint_ms;
	}
	return (int64_t)(CLIMATE_POLL_MS * fmax(1.0, clock_factor(dev->clock) / CLIMATE_FASTEST));
}

/* Whether the camera has anything to read. */
static bool readable(const struct camera_core *c)
{
	const struct camera_caps *caps = &c->caps;
	return c->driver->poll_climate != NULL && (caps->has_temperature || caps->has_heatsink
		|| caps->has_cooler_power || caps->can_pulse_guide);
}

bool camera_guiding_locked(const struct camera_core *c)
{
	return c->guide.going || c->guide.wish[0].wanted || c->guide.wish[1].wanted;
}

void camera_climate_open(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	const struct camera_driver *driver = c->driver;
	struct camera_caps *caps = &c->fresh_caps;
	/* The driver cannot have what it has no function for, whatever its caps say. */
	if (driver->poll_climate == NULL) {
		caps->has_temperature = caps->has_heatsink = caps->has_cooler_power = false;
	}
	caps->has_cooler = caps->has_cooler && driver->set_cooler != NULL;
	caps->can_pulse_guide =
		caps->can_pulse_guide && driver->pulse_guide != NULL && driver->poll_climate != NULL;
	c->fresh_climate = climate_unknown;
}

/* Names what the camera should tell and has not; NULL when nothing is missing. */
static const char *missing(const struct camera_caps *caps, const struct camera_climate *read)
{
	return caps->has_temperature && !isfinite(read->sensor_c)        ? "the sensor's temperature"
	       : caps->has_heatsink && !isfinite(read->heatsink_c)       ? "the heat sink's temperature"
	       : caps->has_cooler_power && !isfinite(read->power_percent) ? "the cooler's power"
									 : NULL;
}

enum err_code camera_climate_first(struct device *dev, bool *all, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	*all = c->driver->poll_climate == NULL;
	if (*all) {
		return ERR_OK;
	}
	struct camera_climate fresh = climate_unknown;
	enum err_code code = camera_drive_first_climate(dev, &fresh, err);
	if (code == ERR_OK) {
		c->fresh_climate = fresh;
		*all = missing(&c->fresh_caps, &fresh) == NULL;
	}
	return code;
}

void camera_climate_came_up(struct device *dev, bool again)
{
	struct camera_core *c = camera_of(dev);
	const struct camera_climate *fresh = &c->fresh_climate;
	c->climate.read = *fresh;
	c->climate.next_ms = clock_now_ms(dev->clock);
	c->guide.going = fresh->guiding;
	const char *silent = missing(&c->caps, fresh);
	if (silent != NULL) {
		log_warn(dev->info.source, "%s could not be read yet; clients are told that there is no reading",
			silent);
	}
	if (!c->caps.has_cooler) {
		return;
	}
	if (again) {
		c->cooler.wanted = true; /* the hardware may have been without power */
	} else if (fresh->cooler_told) {
		c->cooler.on = fresh->cooler_on;
		double told_c = fresh->set_point_c;
		bool known = told_c >= c->caps.set_point_min_c && told_c <= c->caps.set_point_max_c;
		c->cooler.set_point_c = known ? told_c : c->cooler.set_point_c;
	}
}

void camera_climate_went_down(struct device *dev, const struct err *why)
{
	struct camera_core *c = camera_of(dev);
	if (camera_guiding_locked(c)) {
		device_failed(dev, &c->guide.told, why);
	}
	c->guide.wish[0].wanted = false;
	c->guide.wish[1].wanted = false;
	c->guide.going = false;
}

void camera_climate_look(struct camera_core *c)
{
	c->climate.next_ms = 0;
}

void camera_climate_cool(struct device *dev, bool on)
{
	struct camera_core *c = camera_of(dev);
	c->cooler.on = on;
	c->cooler.wanted = true;
	device_wake_worker(dev);
}

void camera_climate_reset(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	c->cooler.on = c->caps.has_cooler && c->caps.cooler_on;
	c->cooler.wanted = false;
	c->cooler.set_point_c = c->caps.set_point_default_c;
	c->guide.wish[0].wanted = false;
	c->guide.wish[1].wanted = false;
	c->guide.going = false;
	c->guide.told.until_ms = 0;
	c->climate.failures = 0;
}

/* Whether a value has changed enough for clients and the page to be told. */
static bool differs(double a, double b)
{
	return isfinite(a) != isfinite(b) || fabs(a - b) >= 0.05;
}

static struct step poll_climate(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	struct camera_climate fresh = climate_unknown;
	enum err_code code = camera_drive_climate(dev, &fresh, &err);
	c->climate.next_ms = clock_now_ms(dev->clock) + poll_interval_ms(dev, fresh.next_poll_ms);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		if (++c->climate.failures < CLIMATE_FAILURES) {
			return step_again();
		}
		if (c->climate.failures == CLIMATE_FAILURES) {
			log_warn(dev->info.source, "temperatures cannot be read: %s", err.text);
			if (c->guide.going) {
				device_failed(dev, &c->guide.told, &err);
			}
		}
		fresh = climate_unknown;
	} else {
		c->climate.failures = 0;
	}
	bool news = fresh.guiding != c->guide.going || differs(fresh.sensor_c, c->climate.read.sensor_c)
		|| differs(fresh.heatsink_c, c->climate.read.heatsink_c)
		|| differs(fresh.power_percent, c->climate.read.power_percent);
	c->guide.going = fresh.guiding;
	c->climate.read = fresh;
	if (news) {
		device_changed(dev);
	}
	return step_again();
}

static struct step set_cooler(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	c->cooler.wanted = false;
	enum err_code code = camera_drive_cooler(dev, c->cooler.on, c->cooler.set_point_c, &err);
	c->climate.next_ms = clock_now_ms(dev->clock);
	if (code == ERR_IO) {
		c->cooler.wanted = true; /* it is carried out when the link is back */
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		log_error(dev->info.source, "cooler: %s", err.text);
		device_failed(dev, NULL, &err);
		device_changed(dev);
	}
	return step_again();
}

static struct step start_pulse(struct device *dev, struct guide_wish *wish)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	struct guide_wish pulse = *wish;
	/* The camera counts as guiding from the wish on, before the driver has taken it over. */
	bool other = c->guide.going;
	wish->wanted = false;
	c->guide.going = true;
	enum err_code code = camera_drive_pulse(dev, &pulse, &err);
	c->climate.next_ms = clock_now_ms(dev->clock);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		log_error(dev->info.source, "guide pulse: %s", err.text);
		c->guide.going = other;
		device_failed(dev, &c->guide.told, &err);
		device_changed(dev);
	}
	return step_again();
}

bool camera_climate_step(struct device *dev, struct step *out)
{
	struct camera_core *c = camera_of(dev);
	for (int axis = 0; axis < 2; axis++) {
		if (c->guide.wish[axis].wanted) {
			*out = start_pulse(dev, &c->guide.wish[axis]);
			return true;
		}
	}
	if (c->cooler.wanted) {
		*out = set_cooler(dev);
		return true;
	}
	if (!readable(c)) {
		*out = step_at(CLOCK_NEVER);
		return false;
	}
	if (clock_now_ms(dev->clock) >= c->climate.next_ms) {
		*out = poll_climate(dev);
		return true;
	}
	*out = step_at(c->climate.next_ms);
	return false;
}

enum err_code camera_set_point(struct device *dev, double celsius, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK && !c->caps.has_cooler) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s has no cooler", dev->info.name);
	}
	if (code == ERR_OK
		&& !(celsius >= c->caps.set_point_min_c && celsius <= c->caps.set_point_max_c)) {
		code = err_set(err, ERR_INVALID_VALUE, "the set point must be %g to %g C, not %g",
			c->caps.set_point_min_c, c->caps.set_point_max_c, celsius);
	}
	if (code == ERR_OK) {
		c->cooler.set_point_c = celsius;
		c->cooler.wanted = true;
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code camera_pulse_guide(struct device *dev, int32_t direction, int32_t duration_ms,
	struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK && !c->caps.can_pulse_guide) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s has no guide port", dev->info.name);
	}
	if (code == ERR_OK && (direction < CAMERA_NORTH || direction > CAMERA_WEST)) {
		code = err_set(err, ERR_INVALID_VALUE,
			"the direction must be 0 to 3 (north, south, east, west), not %d", (int)direction);
	}
	if (code == ERR_OK && duration_ms < 0) {
		code = err_set(err, ERR_INVALID_VALUE,
			"a guide pulse lasts 0 ms or more, not %d", (int)duration_ms);
	}
	if (code == ERR_OK) {
		c->guide.told.until_ms = 0;
	}
	if (code == ERR_OK && duration_ms > 0) {
		c->guide.wish[direction >= CAMERA_EAST] = (struct guide_wish){.wanted = true,
			.direction = (enum camera_guide)direction, .duration_ms = duration_ms};
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code camera_guiding(struct device *dev, bool *out, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = told_failure_get(&c->guide.told, err);
	if (code == ERR_OK) {
		*out = camera_guiding_locked(c);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
