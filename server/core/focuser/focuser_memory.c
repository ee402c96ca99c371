/* SPDX-License-Identifier: MIT */
#include "focuser_memory.h"

#include <stdio.h>
#include <string.h>

#include "focuser_private.h"
#include "position_verdict.h"
#include "text.h"

/* While it moves the way is noted again so often, device clock. */
#define PROGRESS_MS 5000
/* An entry that could not be written is tried again at rest after this long. */
#define RETRY_MS 60000

static int32_t motor_position(const struct focuser_core *f)
{
	return focuser_to_motor(f, f->position);
}

/* The journal's thread: the entry is settled, the worker may be waiting for it. */
static void journal_done(void *arg)
{
	struct device *dev = arg;
	pthread_mutex_lock(&dev->lock);
	device_wake_worker(dev);
	const struct focuser_memory *m = &dev->focuser->memory;
	bool failed;
	if (dev->focuser->sync.noting && position_journal_settled(m->journal, m->ticket, &failed)) {
		dev->focuser->sync.noting = false;
		device_changed(dev); /* the client of a SetPosition waits for it */
	}
	pthread_mutex_unlock(&dev->lock);
}

void focuser_memory_open(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct focuser_memory *m = &f->memory;
	if (m->opened) {
		return;
	}
	m->opened = true;
	if (f->driver->count == FOCUSER_COUNT_IS_PLAY || dev->host.state_dir == NULL) {
		return;
	}
	char path[1100];
	snprintf(path, sizeof path, "%s/position-%d", dev->host.state_dir, dev->info.number);
	struct err why = {0};
	m->found = position_journal_read(path, &m->last, &why);
	m->has_last = m->found == POSITION_READ || m->found == POSITION_MENDED;
	if (m->found == POSITION_DAMAGED) {
		log_warn(dev->info.source, "%s", why.text);
	} else if (m->found == POSITION_MENDED) {
		log_info(dev->info.source, "the newest entry of %s was cut off; the one before it counts", path);
	}
	m->journal = position_journal_create(path, dev->info.source, m->has_last ? &m->last : NULL,
		journal_done, dev);
	if (m->journal == NULL) {
		log_warn(dev->info.source, "no thread for the journal: the position is not remembered");
	}
}

void focuser_memory_close(struct device *dev)
{
	position_journal_destroy(dev->focuser->memory.journal);
	dev->focuser->memory.journal = NULL;
}

/* An entry for things as they are, at rest. */
static void fill(struct device *dev, struct position_entry *out)
{
	struct focuser_core *f = dev->focuser;
	const struct focuser_memory *m = &f->memory;
	int32_t position = motor_position(f);
	*out = (struct position_entry){
		.position = position,
		.from = position,
		.target = position,
		.low = position,
		.high = position,
		.trust = m->trust,
		.offset_known = m->offset_known,
		.offset = m->offset,
		.reverse = f->cfg->reverse,
		.max_step = f->caps.max_step,
		.mirror = f->mirror,
	};
	clock_utc_text(clock_utc_ms(), out->time);
	text_copy_clean(out->why, sizeof out->why, m->why);
	text_copy_clean(out->driver, sizeof out->driver, dev->info.driver);
	text_copy_clean(out->device, sizeof out->device, f->caps.identity);
	text_copy_clean(out->port, sizeof out->port, dev->info.where);
	text_copy_clean(out->port_serial, sizeof out->port_serial, f->port_fresh.serial);
}

static void note(struct device *dev, const struct position_entry *entry)
{
	struct focuser_memory *m = &dev->focuser->memory;
	m->last = *entry;
	m->has_last = true;
	m->noted_position = entry->position;
	m->progress_ms = clock_now_ms(dev->clock);
	m->retry_real_ms = clock_now_ms(clock_real()) + RETRY_MS;
	if (m->journal != NULL) {
		m->ticket = position_journal_note(m->journal, entry);
	}
}

void focuser_memory_rest(struct device *dev)
{
	struct position_entry entry;
	fill(dev, &entry);
	note(dev, &entry);
}

/* Whether the newest entry is on the disk or given up; notices when it fails and when it heals. */
static bool settled(struct device *dev)
{
	struct focuser_memory *m = &dev->focuser->memory;
	bool failed = false;
	if (m->journal == NULL || m->ticket == 0) {
		return true;
	}
	if (!position_journal_settled(m->journal, m->ticket, &failed)) {
		return false;
	}
	if (failed != m->failing) {
		m->failing = failed;
		device_changed(dev);
	}
	return true;
}

void focuser_memory_seen(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct focuser_memory *m = &f->memory;
	if (!f->position_known) {
		return;
	}
	bool done = settled(dev);
	if (f->sync.unsure && !f->drifting && (!f->motor_moving || f->stuck)) {
		/* What it says now shows whether it has its new count. */
		focuser_memory_judge(dev);
		device_changed(dev);
		return;
	}
	if (f->phase == MOVE_NONE && !f->motor_moving && !f->drifting && !f->halt_wanted) {
		struct position_entry now;
		fill(dev, &now);
		bool same = m->has_last && !m->last.moving && m->last.trust == now.trust &&
			    m->last.offset_known == now.offset_known && m->last.offset == now.offset &&
			    strcmp(m->last.driver, now.driver) == 0 &&
			    strcmp(m->last.port_serial, now.port_serial) == 0 &&
			    focuser_distance(m->last.position, now.position) <= focuser_tolerance(f);
		bool retry = done && m->failing && clock_now_ms(clock_real()) >= m->retry_real_ms;
		if (!same || retry) {
			note(dev, &now);
		}
	} else if (m->has_last && m->last.moving && m->noted_op == f->op) {
		/* Known here at once, on the disk now and then. */
		m->last.position = motor_position(f);
		clock_utc_text(clock_utc_ms(), m->last.time);
		if (m->last.position != m->noted_position &&
			clock_now_ms(dev->clock) - m->progress_ms >= PROGRESS_MS) {
			struct position_entry entry = m->last;
			note(dev, &entry);
		}
	}
}

/* Of an overshoot on the way to a target. */
static int32_t turning_point(const struct focuser_core *f, int32_t target)
{
	return moves_clamp(&f->rules, target - focuser_approach_sign(f) * f->rules.backlash_steps);
}

/* Every place the planned way may lead through, in the motor's steps. */
static void fill_way(struct device *dev, struct position_entry *out)
{
	struct focuser_core *f = dev->focuser;
	const struct focuser_memory *m = &f->memory;
	fill(dev, out);
	out->moving = true;
	out->target = focuser_to_motor(f, f->target);
	/* With the turning point of an overshoot, also where it is not planned: a leg that ends beyond the
	 * target is followed by one. */
	const int32_t place[] = {out->target, focuser_to_motor(f, turning_point(f, f->target))};
	for (size_t i = 0; i < sizeof place / sizeof place[0]; i++) {
		out->low = place[i] < out->low ? place[i] : out->low;
		out->high = place[i] > out->high ? place[i] : out->high;
	}
	if (m->has_last && m->last.moving && f->motor_moving) {
		/* The way that this one replaces goes on until the motor hears of it. */
		out->low = m->last.low < out->low ? m->last.low : out->low;
		out->high = m->last.high > out->high ? m->last.high : out->high;
	}
}

bool focuser_memory_begin(struct device *dev, int64_t *next_ms)
{
	struct focuser_core *f = dev->focuser;
	struct focuser_memory *m = &f->memory;
	int64_t now = clock_now_ms(clock_real());
	if (m->noted_op != f->op || !m->has_last || !m->last.moving) {
		if (m->trust != POSITION_KNOWN && log_repeat_due(&m->doubtful)) {
			log_warn(dev->info.source, "moves to %d with a position that is %s", (int)f->target,
				focuser_trust_name(m->trust));
		}
		struct position_entry entry;
		fill_way(dev, &entry);
		note(dev, &entry);
		m->noted_op = f->op;
		m->patience_real_ms = now + POSITION_JOURNAL_PATIENCE_MS;
	}
	if (settled(dev)) {
		return true;
	}
	if (now >= m->patience_real_ms) {
		if (log_repeat_due(&m->late)) {
			log_warn(dev->info.source, "the disk is slow: a move begins before it is noted");
		}
		return true;
	}
	double left_ms = (double)(m->patience_real_ms - now) * clock_factor(dev->clock);
	*next_ms = clock_now_ms(dev->clock) + (int64_t)left_ms + 1;
	return false;
}

void focuser_memory_doubt(struct device *dev, const char *why)
{
	struct focuser_memory *m = &dev->focuser->memory;
	m->trust = POSITION_UNKNOWN;
	m->offset_known = false;
	m->offset = 0;
	text_copy_clean(m->why, sizeof m->why, why);
	if (m->has_last && m->last.moving) {
		/* Not only when it rests: it may go on whatever it is told, until somebody cuts the power. */
		struct position_entry entry = m->last;
		entry.trust = m->trust;
		entry.offset_known = false;
		entry.offset = 0;
		text_copy_clean(entry.why, sizeof entry.why, m->why);
		note(dev, &entry);
	}
	device_changed(dev);
}

void focuser_memory_judge(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct focuser_memory *m = &f->memory;
	f->sync.unsure = false;
	if (!f->position_known) {
		focuser_memory_doubt(dev, "It has not said where it is");
		return;
	}
	struct position_seen seen = {
		.position = motor_position(f),
		.moving = f->motor_moving,
		.keeps = f->driver->count == FOCUSER_COUNT_KEPT,
		.reset = f->fresh.reset_seen,
		.tolerance = focuser_tolerance(f),
		.reverse = f->cfg->reverse,
		.mirror = f->mirror,
		.driver = dev->info.driver,
		.device = f->caps.identity,
		.port_serial = f->port_fresh.serial,
	};
	struct position_verdict verdict;
	position_judge(m->found, m->has_last ? &m->last : NULL, &seen, &verdict);
	m->found = POSITION_READ;
	m->trust = verdict.trust;
	m->offset_known = verdict.offset_known;
	m->offset = verdict.offset;
	snprintf(m->why, sizeof m->why, "%s", verdict.why);
	(void)log_repeat_reset(&m->doubtful);
	if (m->trust != POSITION_KNOWN) {
		log_warn(dev->info.source, "position %s: %s", focuser_trust_name(m->trust), m->why);
	} else if (verdict.note[0] != '\0') {
		log_warn(dev->info.source, "%s", verdict.note);
	}
	focuser_memory_seen(dev);
}

void focuser_memory_afresh(struct device *dev)
{
	struct focuser_memory *m = &dev->focuser->memory;
	m->trust = POSITION_KNOWN;
	m->offset_known = false;
	m->offset = 0;
	m->why[0] = '\0';
	focuser_memory_rest(dev);
	device_changed(dev);
}

/* Where the driver does not tell: at rest at 0, far from where it was. */
static bool looks_forgotten(const struct focuser_core *f)
{
	const struct focuser_memory *m = &f->memory;
	if (f->driver->count != FOCUSER_COUNT_MAY_BE_LOST || !f->position_known || !m->has_last ||
		f->motor_moving || motor_position(f) != 0) {
		return false;
	}
	int32_t nearest = m->last.moving ? m->last.low : m->last.position;
	return nearest > POSITION_WAY_MARGIN + f->caps.backlash_steps;
}

bool focuser_memory_forgot(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	if (!f->fresh.reset_seen && !looks_forgotten(f)) {
		return false;
	}
	struct err why;
	err_set(&why, ERR_STALLED, "%s has lost its count: it was reset, and says %d", dev->info.name,
		(int)f->position);
	device_lease_lost(dev);
	if (f->phase == MOVE_HALTING) {
		f->phase = MOVE_NONE;
	} else if (f->phase != MOVE_NONE) {
		focuser_end_move(dev, &why);
	} else {
		log_error(dev->info.source, "%s", why.text);
		device_failed(dev, NULL, &why);
	}
	f->snapped = false;
	f->drifting = false;
	f->preload = 0;
	f->tempcomp = false;
	f->tempcomp_wanted = false;
	focuser_memory_judge(dev);
	focuser_memory_rest(dev);
	device_changed(dev);
	return true;
}

struct step focuser_memory_sync(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct err err = {0};
	struct focuser_memory *m = &f->memory;
	struct focuser_sync_wish wish = f->sync;
	enum err_code code = ERR_OK;
	if (wish.tell) {
		pthread_mutex_unlock(&dev->lock);
		transcript_say(dev->transcript, TRANSCRIPT_CALL, "set_position %d", (int)wish.position);
		code = f->driver->set_position(f->ctx, wish.position, &err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
	}
	f->sync.wanted = false;
	f->sync.done = wish.ticket;
	f->sync.result = (struct err){0};
	if (code != ERR_OK) {
		f->sync.result = err;
		f->sync.unsure = code != ERR_INVALID_OPERATION && code != ERR_INVALID_VALUE;
		log_warn(dev->info.source, "SetPosition failed: %s", err.text);
		device_changed(dev);
		f->next_poll_ms = 0;
		return code == ERR_IO ? step_lost(&err) : step_again();
	}
	log_info(dev->info.source, "position set to %d, was %d (%s)",
		(int)focuser_from_motor(f, wish.position), (int)f->position, focuser_trust_name(m->trust));
	if (wish.tell) {
		/* The count has changed, not the motor: no play was taken up. */
		f->position = focuser_from_motor(f, wish.position);
		f->read_real_ms = clock_now_ms(clock_real());
		f->snapped = false;
	}
	focuser_memory_afresh(dev);
	f->sync.noting = m->journal != NULL;
	f->sync.patience_real_ms = clock_now_ms(clock_real()) + POSITION_JOURNAL_PATIENCE_MS;
	return step_again();
}

void focuser_memory_went_down(struct device *dev, const struct err *why)
{
	struct focuser_sync_wish *sync = &dev->focuser->sync;
	sync->unsure = false; /* judged anew in any case when the link is back */
	if (sync->wanted) {
		sync->wanted = false;
		sync->done = sync->ticket;
		sync->result = *why;
	}
}

/* A position in clients' steps by the count from before a shift; false when it is outside the range. */
static bool by_remembered_count(const struct focuser_core *f, int32_t position, int32_t *out)
{
	int64_t count = (int64_t)focuser_to_motor(f, position) + f->memory.offset;
	if (count < INT32_MIN || count > INT32_MAX) {
		return false;
	}
	*out = focuser_from_motor(f, (int32_t)count);
	return *out >= 0 && *out <= f->caps.max_step;
}

enum err_code focuser_memory_allows(struct device *dev, int32_t target, struct err *err)
{
	const struct focuser_core *f = dev->focuser;
	const struct focuser_memory *m = &f->memory;
	if (m->trust == POSITION_KNOWN || !m->offset_known) {
		return ERR_OK;
	}
	int32_t there;
	int32_t here;
	int32_t turn = turning_point(f, target);
	bool target_in = by_remembered_count(f, target, &there);
	if (!by_remembered_count(f, f->position, &here) ||
		(target_in && by_remembered_count(f, turn, &there))) {
		return ERR_OK;
	}
	return err_set(err, ERR_INVALID_OPERATION,
		"the position of %s is %s: by the count from before, %d%s lies outside 0..%d; SetPosition "
		"restore or keep settles it",
		dev->info.name, focuser_trust_name(m->trust), (int)(target_in ? turn : target),
		target_in ? ", where it turns," : "", (int)f->caps.max_step);
}

void focuser_memory_state(struct device *dev, struct focuser_state *out)
{
	const struct focuser_core *f = dev->focuser;
	const struct focuser_memory *m = &f->memory;
	out->trust = m->trust;
	snprintf(out->trust_why, sizeof out->trust_why, "%s", m->why);
	out->remembered_known = f->position_known && m->trust != POSITION_KNOWN && m->offset_known &&
				by_remembered_count(f, f->position, &out->remembered);
	out->can_set_position = f->driver->set_position != NULL;
	out->journal_failing = m->failing;
}

enum err_code focuser_set_position(struct device *dev, enum focuser_sync how, int32_t position,
	uint64_t *ticket, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK) {
		code = device_need_free(dev, err);
	}
	if (code == ERR_OK && focuser_busy(dev, err)) {
		code = ERR_INVALID_OPERATION;
	}
	if (code == ERR_OK && !f->position_known) {
		code = err_set(err, ERR_VALUE_NOT_SET, "%s does not say where it stands", dev->info.name);
	}
	if (code == ERR_OK && how == FOCUSER_SYNC_RESTORE) {
		struct focuser_state now;
		focuser_memory_state(dev, &now);
		position = now.remembered;
		if (!now.remembered_known) {
			code = err_set(err, ERR_INVALID_VALUE, "there is no position of %s to restore: it is %s",
				dev->info.name, focuser_trust_name(f->memory.trust));
		}
	}
	position = how == FOCUSER_SYNC_KEEP ? f->position : position;
	if (code == ERR_OK && how != FOCUSER_SYNC_KEEP && (position < 0 || position > f->caps.max_step)) {
		code = err_set(err, ERR_INVALID_VALUE, "position %d of %s is outside 0..%d", (int)position,
			dev->info.name, (int)f->caps.max_step);
	}
	bool tell = position != f->position;
	if (code == ERR_OK && tell && f->driver->set_position == NULL) {
		code = err_set(err, ERR_NOT_IMPLEMENTED,
			"%s cannot be told where it stands: a %s counts by itself; SetPosition keep takes its "
			"own number",
			dev->info.name, dev->info.driver_title);
	}
	if (code == ERR_OK) {
		f->sync.wanted = true;
		f->sync.tell = tell;
		f->sync.position = focuser_to_motor(f, position);
		*ticket = ++f->sync.ticket;
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

bool focuser_set_position_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err)
{
	struct focuser_core *f = dev->focuser;
	pthread_mutex_lock(&dev->lock);
	bool noted = true;
	if (f->sync.noting) {
		bool failed;
		noted = position_journal_settled(f->memory.journal, f->memory.ticket, &failed) ||
			clock_now_ms(clock_real()) >= f->sync.patience_real_ms;
	}
	bool done = f->sync.done >= ticket && noted;
	if (done) {
		*result = f->sync.result.code != ERR_OK ? err_copy(err, &f->sync.result) : ERR_OK;
	}
	pthread_mutex_unlock(&dev->lock);
	return done;
}
