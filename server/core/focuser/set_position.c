/* SPDX-License-Identifier: MIT */
#include "set_position.h"

#include "focuser_private.h"
#include "snapshot.h"

bool set_position_pending(const struct set_position *s)
{
	return s->wanted || s->unsure;
}

void set_position_settled(struct set_position *s)
{
	s->unsure = false;
}

bool set_position_noted(struct set_position *s)
{
	bool news = s->noting;
	s->noting = false;
	return news;
}

struct step set_position_step(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	struct focuser_memory *m = &f->memory;
	struct set_position wish = f->set_position;
	enum err_code code = ERR_OK;
	if (wish.to_device) {
		code = drive_set_position(dev, wish.position, &err);
	}
	f->set_position.wanted = false;
	f->set_position.done = wish.ticket;
	f->set_position.result = (struct err){0};
	if (code != ERR_OK) {
		f->set_position.result = err;
		f->set_position.unsure = code != ERR_INVALID_OPERATION && code != ERR_INVALID_VALUE;
		log_warn(dev->info.source, "SetPosition failed: %s", err.text);
		device_changed(dev);
		f->next_poll_ms = 0;
		return code == ERR_IO ? step_lost(&err) : step_again();
	}
	int32_t published = numbering_published(&f->numbering, wish.position);
	if (f->motion.known) {
		log_info(dev->info.source, "position set to %d, was %d (%s)", (int)published, (int)f->motion.position,
			focuser_trust_name(m->trust));
	} else {
		log_info(dev->info.source, "position set to %d, was never said", (int)published);
	}
	int32_t said = numbering_motor(&f->numbering, f->motion.position);
	if (wish.to_device) {
		motion_count_set(&f->motion, published);
		arrival_forget(f);
	}
	if (wish.restores) {
		memory_restored(dev, said, wish.position);
	} else {
		memory_afresh(dev);
	}
	f->set_position.noting = m->journal != NULL;
	f->set_position.patience_real_ms = clock_now_ms(clock_real()) + POSITION_JOURNAL_PATIENCE_MS;
	return step_again();
}

void set_position_went_down(struct device *dev, const struct err *why)
{
	struct set_position *s = &focuser_of(dev)->set_position;
	s->unsure = false; /* the position is judged anew when the link is back */
	if (s->wanted) {
		s->wanted = false;
		s->done = s->ticket;
		s->result = *why;
	}
}

enum err_code focuser_set_position(struct device *dev, enum focuser_set_how how, int32_t position,
	uint64_t *ticket, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK) {
		code = device_need_free(dev, err);
	}
	if (code == ERR_OK && focuser_busy(dev, err)) {
		code = ERR_INVALID_OPERATION;
	}
	if (code == ERR_OK && !f->motion.known && f->driver->by_hand && how != FOCUSER_SET_TO) {
		code = err_set(err, ERR_VALUE_NOT_SET,
			"nobody has said yet where %s stands: SetPosition wants a position", dev->info.name);
	} else if (code == ERR_OK && !f->motion.known && !f->driver->by_hand) {
		code = err_set(err, ERR_VALUE_NOT_SET, "%s does not say where it stands", dev->info.name);
	}
	if (code == ERR_OK && how == FOCUSER_SET_RESTORE) {
		struct focuser_state now;
		memory_state(dev, &now);
		position = now.remembered;
		if (!now.remembered_known) {
			code = err_set(err, ERR_INVALID_VALUE, "there is no position of %s to restore: it is %s",
				dev->info.name, focuser_trust_name(f->memory.trust));
		}
	}
	position = how == FOCUSER_SET_KEEP ? f->motion.position : position;
	if (code == ERR_OK && how != FOCUSER_SET_KEEP && (position < 0 || position > f->caps.max_step)) {
		code = err_set(err, ERR_INVALID_VALUE, "position %d of %s is outside 0..%d", (int)position,
			dev->info.name, (int)f->caps.max_step);
	}
	bool to_device = !f->motion.known || position != f->motion.position;
	if (code == ERR_OK && to_device && (f->driver->set_position == NULL || f->caps.counts_itself)) {
		code = err_set(err, ERR_NOT_IMPLEMENTED,
			"%s cannot be told where it stands: a %s counts by itself; SetPosition keep takes its "
			"own number",
			dev->info.name, dev->info.driver_title);
	}
	if (code == ERR_OK) {
		f->set_position.wanted = true;
		f->set_position.to_device = to_device;
		f->set_position.restores = how == FOCUSER_SET_RESTORE;
		f->set_position.position = numbering_motor(&f->numbering, position);
		*ticket = ++f->set_position.ticket;
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

bool focuser_set_position_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	bool noted = true;
	if (f->set_position.noting) {
		bool failed;
		noted = position_journal_settled(f->memory.journal, f->memory.ticket, &failed) ||
			clock_now_ms(clock_real()) >= f->set_position.patience_real_ms;
	}
	bool done = f->set_position.done >= ticket && noted;
	if (done) {
		*result = f->set_position.result.code != ERR_OK ? err_copy(err, &f->set_position.result) : ERR_OK;
	}
	pthread_mutex_unlock(&dev->lock);
	return done;
}
