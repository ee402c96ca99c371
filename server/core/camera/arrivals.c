/* SPDX-License-Identifier: MIT */
/* What a camera that watches a folder has, and how a job waits for its frames. */
#include "arrivals.h"

#include "camera_private.h"

/* The thread that waits looks at its cancel flag at least this often, in case it misses being woken. */
#define RECHECK_MS 200

void arrivals_take(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct camera_arrival arrival;
	if (c->driver->mode != CAMERA_WATCHED || !camera_drive_take(dev, &arrival)) {
		return;
	}
	if (arrival.frame == NULL) {
		c->arrivals.left_out = arrival;
		c->arrivals.left++;
	} else {
		frame_unref(c->arrivals.newest.frame);
		c->arrivals.newest = arrival;
		c->arrivals.came++;
		picture_show(&c->picture, arrival.frame);
	}
	device_changed(dev);
}

void arrivals_free(struct arrivals *arrivals)
{
	frame_unref(arrivals->newest.frame);
	*arrivals = (struct arrivals){0};
}

bool camera_watches(const struct device *dev)
{
	return camera_of(dev)->driver->mode == CAMERA_WATCHED;
}

uint64_t camera_arrived(struct device *dev, struct camera_arrival *out)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	uint64_t number = c->arrivals.came;
	*out = c->arrivals.newest;
	if (out->frame != NULL) {
		frame_ref(out->frame);
	}
	pthread_mutex_unlock(&dev->lock);
	return number;
}

uint64_t camera_left_out(struct device *dev, struct camera_arrival *out)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	uint64_t count = c->arrivals.left;
	*out = c->arrivals.left_out;
	pthread_mutex_unlock(&dev->lock);
	return count;
}

/* Whether the newest frame is one that the caller waits for. */
static bool is_awaited(const struct camera_core *c, const struct camera_await *await)
{
	return c->arrivals.came > await->number && c->arrivals.newest.begun_ms >= await->begun_after_ms;
}

/* Waits with the lock held; ERR_OK when an awaited frame is there. */
static enum err_code wait_for_frame(struct device *dev, uint64_t run, const struct camera_await *await,
	const _Atomic bool *cancel, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	for (;;) {
		enum err_code code = device_need_link(dev, err);
		if (code != ERR_OK) {
			return code;
		}
		if (dev->lease.run != run || atomic_load(cancel)) {
			return err_set(err, ERR_CANCELLED, "%s is not waited for any more", dev->info.name);
		}
		if (is_awaited(c, await)) {
			return ERR_OK;
		}
		if (await->at_once) {
			return err_set(err, ERR_INVALID_OPERATION, "no frame has come to %s so far", dev->info.name);
		}
		clock_wait(clock_real(), &dev->changed, &dev->lock, clock_now_ms(clock_real()) + RECHECK_MS);
	}
}

enum err_code camera_run_await(struct device *dev, uint64_t run, struct camera_await *await,
	const _Atomic bool *cancel, struct frame **out, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = wait_for_frame(dev, run, await, cancel, err);
	if (code == ERR_OK) {
		*out = frame_ref(c->arrivals.newest.frame);
		await->number = c->arrivals.came;
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
