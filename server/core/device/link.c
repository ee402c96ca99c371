/* SPDX-License-Identifier: MIT */
/*
 * The worker thread of a device: keeps the link as clients wish it, notices its loss, opens it again, and lets the
 * device's class do its next step while the link is up.
 */
#include "device_private.h"

#include <stdio.h>
#include <string.h>

#include "host.h"

/* A connect is given up after so many tries of identify; each takes at most about 1.2 s. */
#define IDENTIFY_TRIES 4
/* The pause between tries to reopen a lost link, on the device's clock: it doubles from the first to the last. */
#define RELINK_FIRST_MS 500
#define RELINK_LAST_MS 5000
/* The pause after a try of identify that failed at once. */
#define IDENTIFY_PAUSE_MS 100
/* The pause between two looks at what was not told yet, real milliseconds. */
#define READ_PAUSE_MS 100
/* The last look begins so long before a connect has to be answered: a question that a serial driver asks of a sensor
 * waits 500 ms for its answer. */
#define READ_LAST_MS 600
/* A lost link is up again after this, whatever was not read: a client that kept its connection waits for its motor.
 * The slowest sensor known needs 900 ms (a Moonlite's conversion of 800 ms and the question). */
#define READ_AGAIN_MS 1500
/* A link that was up for this long, real milliseconds, is a steady one: its loss is news. */
#define STEADY_MS 60000
/* With connect = start the device is tried this often until it opens for the first time. */
#define KEEP_TRYING_MS 5000

/* Closes the driver. The lock is given back meanwhile, so a client may have ended its wish for the link by then. */
static void close_driver(struct device *dev)
{
	dev->usable = false;
	if (dev->opened) {
		dev->opened = false;
		pthread_mutex_unlock(&dev->lock);
		host_closes(dev);
		dev->class->close(dev);
		pthread_mutex_lock(&dev->lock);
	}
}

/* Notes that a wished link could not be opened. */
static void open_failed(struct device *dev, const struct err *err)
{
	close_driver(dev);
	if (dev->link == LINK_CLOSING) {
		return;
	}
	if (log_lasting_news(&dev->link_failures, err->text)) {
		log_warn(dev->info.source, "cannot open: %s", err->text);
	}
	dev->connect_error = *err;
	dev->try_failed_ms = clock_now_ms(clock_real());
	if (dev->was_up) {
		dev->relink_backoff_ms = dev->relink_backoff_ms == 0 ? RELINK_FIRST_MS
								     : dev->relink_backoff_ms * 2;
		if (dev->relink_backoff_ms > RELINK_LAST_MS) {
			dev->relink_backoff_ms = RELINK_LAST_MS;
		}
		dev->next_try_ms = clock_now_ms(dev->clock) + dev->relink_backoff_ms;
		bool given_up =
			dev->try_failed_ms - dev->lost_since_ms >= dev->patience.lost_grace_ms;
		/* The reason why the link does not come back says more than the reason why it went. */
		bool news = strcmp(dev->last_failure, err->text) != 0;
		if (news) {
			device_failed(dev, NULL, err);
		}
		if (news || dev->keen || (given_up && !dev->lost_told)) {
			dev->lost_told = given_up;
			dev->keen = false;
			device_changed(dev);
		}
		return;
	}
	dev->link = LINK_DOWN;
	dev->want_link = false;
	dev->next_try_ms = clock_now_ms(dev->clock) + KEEP_TRYING_MS;
	device_failed(dev, &dev->connect_told, err);
	device_changed(dev);
}

static void came_up(struct device *dev)
{
	bool again = dev->was_up;
	unsigned failures = log_lasting_over(&dev->link_failures);
	dev->up_since_ms = clock_now_ms(clock_real());
	if (!again) {
		dev->quiet_return = false;
		(void)log_lasting_over(&dev->link_losses);
	}
	if (again && !dev->quiet_return) {
		log_info(dev->info.source, "link is back after %u failed tries", failures);
	} else if (!again && failures > 1) {
		log_info(dev->info.source, "connected after %u failed tries", failures);
	} else if (!again) {
		log_info(dev->info.source, "connected");
	}
	dev->link = LINK_UP;
	dev->was_up = true;
	dev->usable = true;
	dev->relink_backoff_ms = 0;
	dev->last_failure[0] = '\0';
	dev->connect_told.until_ms = 0;
	dev->class->came_up(dev, again);
	device_changed(dev);
}

/* Tells the log of a loss. A cable that is loose for hours is told once; what was told is forgotten when a link has
 * lasted. */
static void tell_loss(struct device *dev, const struct err *err)
{
	unsigned before = 0;
	if (clock_now_ms(clock_real()) - dev->up_since_ms >= STEADY_MS) {
		before = log_lasting_over(&dev->link_losses);
	}
	if (before > 1) {
		log_warn(dev->info.source, "in the meantime the link was lost %u times and came back", before);
	}
	dev->quiet_return = !log_lasting_news(&dev->link_losses, err->text);
	if (!dev->quiet_return) {
		log_warn(dev->info.source, "link lost: %s", err->text);
	}
}

static void link_lost(struct device *dev, const struct err *err)
{
	if (dev->link == LINK_CLOSING) {
		return;
	}
	tell_loss(dev, err);
	transcript_fault(dev->transcript, err->text);
	dev->link = LINK_LOST;
	dev->lost_told = false;
	dev->keen = false;
	dev->lost_since_ms = clock_now_ms(clock_real());
	dev->next_try_ms = clock_now_ms(dev->clock) + RELINK_FIRST_MS;
	dev->relink_backoff_ms = RELINK_FIRST_MS;
	device_failed(dev, NULL, err);
	device_lease_lost(dev);
	dev->class->went_down(dev, err);
	device_changed(dev);
	close_driver(dev);
}

static void close_link(struct device *dev)
{
	dev->link = LINK_CLOSING;
	if (dev->usable) {
		dev->class->stop(dev);
	} else {
		/* Nobody waits for the link, so the reason why it did not come back is not shown. */
		dev->last_failure[0] = '\0';
	}
	close_driver(dev);
	struct err err;
	err_set(&err, ERR_NOT_CONNECTED, "%s was disconnected", dev->info.name);
	device_lease_disconnected(dev);
	dev->class->went_down(dev, &err);
	dev->was_up = false;
	dev->connect_error = err;
	/* A client may have wished to connect while the lock was free. */
	dev->link = dev->want_link ? LINK_OPENING : LINK_DOWN;
	dev->identify_tries = 0;
	dev->next_try_ms = dev->want_link ? 0 : CLOCK_NEVER;
	log_info(dev->info.source, "disconnected");
	device_changed(dev);
}

/* Opens the driver; returns when to go on. */
static int64_t open_driver(struct device *dev)
{
	struct err err = {0};
	pthread_mutex_unlock(&dev->lock);
	host_opens(dev);
	enum err_code code = dev->class->open(dev, &err);
	if (code != ERR_OK) {
		host_closes(dev);
	}
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	dev->opened = code == ERR_OK;
	if (dev->link == LINK_CLOSING) {
		return 0;
	}
	if (code != ERR_OK) {
		open_failed(dev, &err);
		return dev->next_try_ms;
	}
	dev->identify_tries = 0;
	dev->identified = false;
	dev->next_try_ms = clock_now_ms(dev->clock) + dev->class->open_wait_ms(dev);
	return dev->next_try_ms;
}

/* Asks the device once what it is; returns when to go on. */
static int64_t identify(struct device *dev)
{
	struct err err = {0};
	enum err_code code = ERR_OK;
	if (dev->class->identify != NULL) {
		pthread_mutex_unlock(&dev->lock);
		code = dev->class->identify(dev, &err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
	}
	/* The link is closed even when a client wishes it again already, because whoever disconnected waits for
	 * that. */
	if (dev->link == LINK_CLOSING) {
		return 0;
	}
	if (code == ERR_OK) {
		dev->identified = true;
		dev->read_until_ms = dev->was_up
			? clock_now_ms(clock_real()) + READ_AGAIN_MS
			: dev->wished_ms + dev->patience.connect_answer_ms - READ_LAST_MS;
		return 0;
	}
	dev->identify_tries++;
	if (code == ERR_IO || dev->identify_tries >= IDENTIFY_TRIES) {
		/* The transcript is kept once for all tries of a night. */
		if (dev->link_failures.count == 0) {
			transcript_fault(dev->transcript, err.text);
		}
		open_failed(dev, &err);
	} else {
		dev->next_try_ms = clock_now_ms(dev->clock) + IDENTIFY_PAUSE_MS;
	}
	return dev->next_try_ms;
}

/* Reads what the device has not told yet, and takes the link as up when there is no more, or no more time; returns when
 * to go on. */
static int64_t read_all(struct device *dev)
{
	struct err err = {0};
	enum err_code code = ERR_OK;
	bool all = true;
	if (dev->class->read_all != NULL) {
		pthread_mutex_unlock(&dev->lock);
		code = dev->class->read_all(dev, &all, &err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
	}
	if (dev->link == LINK_CLOSING) {
		return 0;
	}
	if (code == ERR_IO) {
		open_failed(dev, &err);
		return dev->next_try_ms;
	}
	if (all || clock_now_ms(clock_real()) >= dev->read_until_ms) {
		came_up(dev);
		return 0;
	}
	dev->next_try_ms = clock_now_ms(dev->clock) + (int64_t)(READ_PAUSE_MS * clock_factor(dev->clock));
	return dev->next_try_ms;
}

/* Does one step towards an open link; returns when to go on. */
static int64_t open_step(struct device *dev)
{
	if (clock_now_ms(dev->clock) < dev->next_try_ms) {
		return dev->next_try_ms;
	}
	if (!dev->opened) {
		return open_driver(dev);
	}
	return dev->identified ? read_all(dev) : identify(dev);
}

/* Does the next thing; returns when there is something to do again, on the device's clock. */
static int64_t worker_step(struct device *dev)
{
	switch (dev->link) {
	case LINK_DOWN:
		if (dev->keep_trying && clock_now_ms(dev->clock) >= dev->next_try_ms) {
			dev->want_link = true;
			dev->wished_ms = clock_now_ms(clock_real());
			dev->link = LINK_OPENING;
			dev->opened = false;
			dev->identify_tries = 0;
			device_changed(dev);
			return 0;
		}
		return dev->keep_trying ? dev->next_try_ms : CLOCK_NEVER;
	case LINK_OPENING:
	case LINK_LOST:
		return open_step(dev);
	case LINK_UP: {
		if (dev->pulled) {
			dev->pulled = false;
			struct err err;
			err_set(&err, ERR_IO, "%s was unplugged", dev->tty);
			link_lost(dev, &err);
			return 0;
		}
		struct step step = dev->class->step(dev);
		if (step.what == STEP_LOST) {
			link_lost(dev, &step.why);
		}
		return step.what == STEP_AT ? step.at_ms : 0;
	}
	case LINK_CLOSING:
		break;
	}
	close_link(dev);
	return 0;
}

/* Takes the newest settings, unless something goes on that keeps those it began with. */
static void take_settings(struct device *dev)
{
	struct settings *settings = dev->needs.settings;
	if (settings_version(settings) == dev->config->version || dev->lease.run != 0 || !dev->class->between(dev)) {
		return;
	}
	const struct config *old = dev->config;
	dev->config = settings_get(settings);
	dev->class->configure(dev);
	settings_release(settings, old);
	device_changed(dev);
}

static void *worker_main(void *arg)
{
	struct device *dev = arg;
	pthread_mutex_lock(&dev->lock);
	while (!dev->quit) {
		dev->woken = false;
		device_seen_urgent(dev);
		take_settings(dev);
		struct step told = dev->opened ? host_hand_over(dev) : step_again();
		if (told.what == STEP_LOST && dev->link == LINK_UP) {
			link_lost(dev, &told.why);
		}
		int64_t next = worker_step(dev);
		while (!dev->woken && !dev->quit && clock_now_ms(dev->clock) < next) {
			clock_wait(dev->clock, &dev->mail, &dev->lock, next);
		}
	}
	if (dev->link != LINK_DOWN) {
		dev->want_link = false;
		close_link(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return NULL;
}

enum err_code device_start(struct device *dev, struct err *err)
{
	if (pthread_create(&dev->thread, NULL, worker_main, dev) != 0) {
		return err_set(err, ERR_INTERNAL, "no thread for %s", dev->info.source);
	}
	dev->has_thread = true;
	return ERR_OK;
}

void device_join(struct device *dev)
{
	if (!dev->has_thread) {
		return;
	}
	pthread_mutex_lock(&dev->lock);
	dev->quit = true;
	device_wake_urgent(dev);
	pthread_mutex_unlock(&dev->lock);
	pthread_join(dev->thread, NULL);
	dev->has_thread = false;
}
