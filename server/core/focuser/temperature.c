/* SPDX-License-Identifier: MIT */
#include "temperature.h"

#include "focuser_private.h"

/* A temperature counts for three polls; never less than this, since some controllers are not asked for it
 * while they move. */
#define TEMPERATURE_FLOOR_MS 120000

/* A probe is well again, and its next trouble worth a line, after so many readings in a row that were believed. */
#define PROBE_WELL 60

void temperature_configure(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	f->temperature.wanted = f->cfg->temperature_source == CONFIG_TEMPERATURE_SELF;
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		const struct config_focuser *other = &dev->config->focuser[i];
		f->temperature.wanted |= other->present && other->temperature_source == CONFIG_TEMPERATURE_FOCUSER &&
					 other->temperature_focuser == dev->info.number;
	}
}

void temperature_forget(struct temperature *t)
{
	t->probe = (struct thermometer){0};
	t->next_ms = 0;
}

void temperature_opened(struct temperature *t)
{
	t->first = TEMPERATURE_UNASKED;
}

bool temperature_missing(struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	return f->fresh_caps.has_temperature && f->temperature.wanted && f->temperature.first != TEMPERATURE_SAID;
}

void temperature_heard(struct device *dev, const struct focuser_reading *r)
{
	struct temperature *t = &focuser_of(dev)->temperature;
	/* A number below the range says that the wire is off, which no further question changes; one above it comes
	 * from a probe that has just got power and is about to say better. */
	bool said = r->temperature_valid && r->temperature_c <= THERMOMETER_HIGH_C;
	t->first = said ? TEMPERATURE_SAID : TEMPERATURE_SILENT;
	t->first_c = r->temperature_c;
}

void temperature_came_up(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct temperature *t = &f->temperature;
	temperature_forget(t);
	if (t->first == TEMPERATURE_SAID) {
		t->next_ms = clock_now_ms(dev->clock) + f->driver->poll_temperature_ms;
		(void)temperature_take(dev, t->first_c);
	} else if (t->first == TEMPERATURE_SILENT && log_lasting_news(&t->trouble, "silent")) {
		log_warn(dev->info.source,
			"the temperature sensor has said nothing yet; clients are told that there is no reading");
	}
}

bool temperature_due(struct device *dev, int64_t now_ms)
{
	struct focuser_core *f = focuser_of(dev);
	if (!f->caps.has_temperature || !f->temperature.wanted || now_ms < f->temperature.next_ms) {
		return false;
	}
	f->temperature.next_ms = now_ms + f->driver->poll_temperature_ms;
	return true;
}

bool temperature_take(struct device *dev, double celsius)
{
	struct focuser_core *f = focuser_of(dev);
	struct thermometer *t = &f->temperature.probe;
	bool was_known = t->known;
	double was = t->celsius;
	enum thermometer_word word = thermometer_take(t, celsius, clock_now_ms(dev->clock));
	if (word == THERMOMETER_BELIEVED) {
		f->temperature.believed_real_ms = clock_now_ms(clock_real());
		if (++f->temperature.good >= PROBE_WELL) {
			(void)log_lasting_over(&f->temperature.trouble);
		}
	} else {
		f->temperature.good = 0;
	}
	if (word == THERMOMETER_BROKEN && log_lasting_news(&f->temperature.trouble, "broken")) {
		log_warn(dev->info.source, "the probe says %g C: it is broken or not plugged in", celsius);
	} else if (word == THERMOMETER_DOUBTED && log_lasting_news(&f->temperature.trouble, "doubted")) {
		log_info(dev->info.source, "the temperature jumps to %g C: not believed yet", celsius);
	}
	return t->known != was_known || (t->known && t->celsius != was);
}

/* A probe that has gone silent must not pass its last word off as the air of now. */
static bool temperature_old(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	int64_t limit = (int64_t)(3 * f->driver->poll_temperature_ms / clock_factor(dev->clock));
	limit = limit < TEMPERATURE_FLOOR_MS ? TEMPERATURE_FLOOR_MS : limit;
	return clock_now_ms(clock_real()) - f->temperature.believed_real_ms > limit;
}

static enum err_code probe_temperature(struct device *dev, double *out, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&dev->lock);
	if (f->caps_known && !f->caps.has_temperature) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s has no temperature sensor", dev->info.name);
	} else if (!f->temperature.probe.known || dev->link != LINK_UP || temperature_old(dev)) {
		code = err_set(err, ERR_VALUE_NOT_SET, "%s has no temperature reading just now",
			dev->info.name);
	} else {
		*out = f->temperature.probe.celsius;
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

static enum err_code told_temperature(struct device *dev, double *out, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&dev->lock);
	int64_t age_ms = clock_now_ms(clock_real()) - f->temperature.told_real_ms;
	if (!f->temperature.told) {
		code = err_set(err, ERR_VALUE_NOT_SET, "no temperature was told to %s yet", dev->info.name);
	} else if (age_ms > dev->patience.temperature_told_ms) {
		code = err_set(err, ERR_VALUE_NOT_SET, "the last temperature told to %s is %lld minutes old",
			dev->info.name, (long long)(age_ms / 60000));
	} else {
		*out = f->temperature.told_c;
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

/* The temperature by the configured source.  Call it without the lock: it may look at another device. */
static enum err_code temperature_of(struct device *dev, int depth, double *out, struct err *err)
{
	const struct config *config = settings_get(dev->needs.settings);
	enum config_temperature_source source = config->focuser[dev->info.number].temperature_source;
	int focuser = config->focuser[dev->info.number].temperature_focuser;
	settings_release(dev->needs.settings, config);
	switch (source) {
	case CONFIG_TEMPERATURE_NONE:
		return err_set(err, ERR_NOT_IMPLEMENTED, "%s has no temperature source", dev->info.name);
	case CONFIG_TEMPERATURE_ACTION:
		return told_temperature(dev, out, err);
	case CONFIG_TEMPERATURE_FOCUSER: {
		struct device *other =
			devices_find(dev->needs.siblings, dev->info.kind, focuser);
		if (other == NULL || depth > 0) {
			return err_set(err, ERR_NOT_IMPLEMENTED, "%s: its temperature source has no sensor",
				dev->info.name);
		}
		return temperature_of(other, depth + 1, out, err);
	}
	case CONFIG_TEMPERATURE_SELF:
		break;
	}
	return probe_temperature(dev, out, err);
}

enum err_code focuser_temperature(struct device *dev, double *out, struct err *err)
{
	return temperature_of(dev, 0, out, err);
}

enum err_code focuser_tell_temperature(struct device *dev, double celsius, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	const struct config *config = settings_get(dev->needs.settings);
	bool from_clients = config->focuser[dev->info.number].temperature_source == CONFIG_TEMPERATURE_ACTION;
	settings_release(dev->needs.settings, config);
	if (!from_clients) {
		return err_set(err, ERR_INVALID_OPERATION,
			"%s does not take its temperature from clients: set temperature_source = action",
			dev->info.name);
	}
	if (!(celsius >= THERMOMETER_LOW_C && celsius <= THERMOMETER_HIGH_C)) {
		return err_set(err, ERR_INVALID_VALUE, "a temperature is from %g to %g C", THERMOMETER_LOW_C,
			THERMOMETER_HIGH_C);
	}
	pthread_mutex_lock(&dev->lock);
	f->temperature.told = true;
	f->temperature.told_c = celsius;
	f->temperature.told_real_ms = clock_now_ms(clock_real());
	device_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	return ERR_OK;
}
