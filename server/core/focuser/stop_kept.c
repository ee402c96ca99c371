/* SPDX-License-Identifier: MIT */
#include "stop_kept.h"

#include <stdio.h>
#include <string.h>

#include "focuser_private.h"

/* Says what keeps a STOP from being sent at this moment. */
static enum stop_hindrance hindrance(const struct device *dev)
{
	return dev->link == LINK_LOST ? focuser_of(dev)->stop.why : STOP_CLOSED;
}

enum err_code stop_kept_wish(struct device *dev, struct err *err)
{
	struct stop_kept *k = &focuser_of(dev)->stop;
	bool late = clock_now_ms(dev->clock) > k->motion.until_ms;
	if (k->sent) {
		return ERR_OK;
	}
	k->outcome = NULL;
	if (!k->motion.under_way || late) {
		return dev->link != LINK_LOST ? ERR_OK
			: err_set(err, ERR_IO, "%s: %s", dev->info.name,
				k->motion.under_way ? stop_owed_lapsed : stop_needless_words(k->why));
	}
	if (!k->owed || k->unsure) {
		k->owed = true;
		k->unsure = false;
		log_error(dev->info.source, "%s", stop_owed_words(hindrance(dev), false));
	}
	return err_set(err, ERR_IO, "%s: %s", dev->info.name, stop_owed_words(hindrance(dev), false));
}

void stop_kept_end_news(struct stop_kept *k)
{
	k->outcome = NULL;
}

void stop_kept_state(const struct device *dev, struct focuser_state *out)
{
	const struct stop_kept *k = &focuser_of(dev)->stop;
	out->stop_owed = k->owed;
	const char *words = k->owed ? stop_owed_words(hindrance(dev), k->unsure) : k->outcome;
	snprintf(out->stop_words, sizeof out->stop_words, "%s", words != NULL ? words : "");
}

void stop_kept_at_rest(struct device *dev)
{
	struct stop_kept *k = &focuser_of(dev)->stop;
	if (k->outcome == stop_owed_outcome(STOP_VOID_OTHER) || k->outcome == stop_owed_outcome(STOP_VOID_RESET)) {
		k->outcome = NULL;
		device_changed(dev);
	}
}

void stop_kept_lost(struct device *dev, const struct stopped_motion *motion, bool owed, bool unsure,
	const struct err *why)
{
	bool network = strstr(dev->info.where, "://") != NULL;
	struct stop_kept *k = &focuser_of(dev)->stop;
	*k = (struct stop_kept){
		.motion = *motion,
		.why = why->code != ERR_IO ? STOP_SILENCE : network ? STOP_CONNECTION : STOP_CABLE,
		.owed = owed && motion->under_way,
		.unsure = unsure,
	};
	if (k->owed) {
		log_error(dev->info.source, "%s", stop_owed_words(k->why, k->unsure));
	}
}

void stop_kept_closed(struct device *dev)
{
	const struct stop_kept *k = &focuser_of(dev)->stop;
	if (k->owed) {
		log_error(dev->info.source, "%s", stop_owed_words(STOP_CLOSED, k->unsure));
	}
}

void stop_kept_lapse(struct device *dev)
{
	struct stop_kept *k = &focuser_of(dev)->stop;
	if (k->owed && clock_now_ms(dev->clock) > k->motion.until_ms) {
		k->owed = false;
		k->outcome = stop_owed_lapsed;
		log_error(dev->info.source, "%s", k->outcome);
		device_changed(dev);
	}
}

enum stop_verdict stop_kept_judge(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	bool whole = !f->caps.identity_partial && !f->fresh_caps.identity_partial;
	const struct stop_seen seen = {
		.same_device = !whole || strcmp(f->caps.identity, f->fresh_caps.identity) == 0,
		.calibrating = f->fresh_caps.calibrating,
		.rests = f->fresh.moving_valid && !f->fresh.moving,
		.reset = f->fresh.reset_seen,
		.position_known = f->fresh.position_valid,
		.position = f->fresh.position,
		.now_ms = clock_now_ms(dev->clock),
	};
	return stop_owed_judge(&f->stop.motion, &seen);
}

int stop_kept_failed(struct stop_kept *k)
{
	return ++k->tries;
}

void stop_kept_settle(struct device *dev, enum stop_verdict verdict, bool sent)
{
	struct stop_kept *k = &focuser_of(dev)->stop;
	k->owed = false;
	k->sent = sent;
	k->verdict = verdict;
	k->outcome = stop_owed_outcome(verdict);
	log_warn(dev->info.source, "%s", k->outcome);
}

void stop_kept_over(struct stop_kept *k)
{
	*k = (struct stop_kept){.outcome = k->outcome};
}
