/* SPDX-License-Identifier: MIT */
#include "drive.h"

#include <math.h>
#include <string.h>

#include "focuser_private.h"

/* Back on our side of a driver call. */
static enum err_code back(struct device *dev, enum err_code code)
{
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	return code;
}

enum err_code drive_poll(struct device *dev, unsigned want, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	f->fresh = (struct focuser_reading){0};
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "poll %u", want);
	return back(dev, f->driver->poll(f->ctx, want, &f->fresh, err));
}

bool drive_poll_failed(struct focuser_core *f, enum err_code code)
{
	f->poll_failures++;
	return code == ERR_IO ||
	       f->poll_failures >= (code == ERR_PROTOCOL ? FOCUSER_POLL_GARBLED : FOCUSER_POLL_FAILURES);
}

enum err_code drive_move(struct device *dev, int32_t target, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	if (!numbering_holds(&f->numbering, target)) {
		return err_set(err, ERR_INVALID_VALUE, "%s is not sent to %d by its own count: its limits are %d and "
			"%d", dev->info.name, (int)target, (int)f->numbering.low, (int)f->numbering.high);
	}
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "move %d", (int)target);
	return back(dev, f->driver->start_move(f->ctx, target, err));
}

enum err_code drive_halt(struct device *dev, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "halt");
	return back(dev, f->driver->halt(f->ctx, err));
}

enum err_code drive_tempcomp(struct device *dev, bool on, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "tempcomp %d", on);
	return back(dev, f->driver->set_tempcomp(f->ctx, on, err));
}

enum err_code drive_set_position(struct device *dev, int32_t position, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "set_position %d", (int)position);
	return back(dev, f->driver->set_position(f->ctx, position, err));
}

enum err_code drive_calibrate(struct device *dev, bool start, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "calibrate %s", start ? "start" : "abort");
	return back(dev, f->driver->calibrate(f->ctx, start, err));
}

enum err_code drive_posted(struct device *dev, const void *data, size_t size, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	if (f->driver->posted == NULL) {
		return ERR_OK;
	}
	pthread_mutex_unlock(&dev->lock);
	return back(dev, f->driver->posted(f->ctx, data, size, err));
}

enum err_code drive_open(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	memset(f->ctx, 0, f->driver->ctx_size);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "open");
	enum err_code code = f->driver->open(f->ctx, &f->port, &dev->host, err);
	if (code != ERR_OK) {
		f->driver->close(f->ctx);
	}
	return code;
}

void drive_close(struct device *dev)
{
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "close");
	focuser_of(dev)->driver->close(focuser_of(dev)->ctx);
}

enum err_code drive_identify(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	f->fresh_caps = (struct focuser_caps){.step_size_um = NAN};
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "identify");
	return f->driver->identify(f->ctx, &f->fresh_caps, err);
}

enum err_code drive_first_poll(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	f->fresh = (struct focuser_reading){0};
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "poll %u", FOCUSER_WANT_MOTION);
	return f->driver->poll(f->ctx, FOCUSER_WANT_MOTION, &f->fresh, err);
}

enum err_code drive_ask_temperature(struct device *dev, struct focuser_reading *out, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	struct focuser_reading reading = {0};
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "poll %u", FOCUSER_WANT_TEMPERATURE);
	enum err_code code = f->driver->poll(f->ctx, FOCUSER_WANT_TEMPERATURE, &reading, err);
	*out = code == ERR_OK ? reading : (struct focuser_reading){0};
	/* What a device tells only once must not be lost with this reading. */
	f->fresh.reset_seen |= out->reset_seen;
	return code;
}
