/* SPDX-License-Identifier: MIT */
#include "position_memory.h"

#include <stdio.h>
#include <string.h>

#include "focuser_private.h"
#include "position_verdict.h"
#include "text.h"

/* While the motor moves, the way is noted again after this, ms of the device's clock. */
#define PROGRESS_MS 5000
/* An entry that could not be written is tried again at rest after this, real ms. */
#define RETRY_MS 60000

static int32_t motor_position(const struct focuser_core *f)
{
	return numbering_motor(&f->numbering, f->motion.position);
}

/* Runs on the journal's thread: the entry is settled, and the worker may be waiting for it. */
static void journal_done(void *arg)
{
	struct device *dev = arg;
	pthread_mutex_lock(&dev->lock);
	device_wake_worker(dev);
	const struct focuser_memory *m = &focuser_of(dev)->memory;
	bool failed;
	if (position_journal_settled(m->journal, m->ticket, &failed) &&
		set_position_noted(&focuser_of(dev)->set_position)) {
		device_changed(dev); /* the client of a SetPosition waits for it */
	}
	pthread_mutex_unlock(&dev->lock);
}

void memory_open(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct focuser_memory *m = &f->memory;
	if (m->opened) {
		return;
	}
	m->opened = true;
	if (dev->host.state_dir == NULL) {
		return;
	}
	/* A simulated focuser must not write over what is remembered of a real one, which may have the same number in
	 * another configuration on this directory. */
	bool simulated = f->driver->count == FOCUSER_COUNT_SIMULATED;
	char path[1100];
	snprintf(path, sizeof path, "%s/%sposition-%d", dev->host.state_dir, simulated ? "simulator-" : "",
		dev->info.number);
	struct err why = {0};
	m->found = position_journal_read(path, &m->last, &why);
	m->has_last = m->found == POSITION_READ || m->found == POSITION_MENDED;
	if (m->found == POSITION_DAMAGED) {
		log_warn(dev->info.source, "%s", why.text);
	} else if (m->found == POSITION_MENDED) {
		log_info(dev->info.source, "the newest entry of %s was cut off; the one before it counts", path);
	}
	bool said = f->driver->by_hand && m->has_last && m->last.trust == POSITION_KNOWN && !m->last.moving &&
		    strcmp(m->last.driver, dev->info.driver) == 0;
	dev->host.stood_known = said || (simulated && m->has_last);
	dev->host.stood = m->last.position;
	m->journal = position_journal_create(path, dev->info.source, m->has_last ? &m->last : NULL,
		journal_done, dev);
	if (m->journal == NULL) {
		log_warn(dev->info.source, "no thread for the journal: the position is not remembered");
	}
}

void memory_close(struct device *dev)
{
	position_journal_destroy(focuser_of(dev)->memory.journal);
	focuser_of(dev)->memory.journal = NULL;
}

/* Fills an entry that tells things as they are, with the motor at rest. */
static void fill(struct device *dev, struct position_entry *out)
{
	struct focuser_core *f = focuser_of(dev);
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
		.span_known = m->span_known,
		.span_low = m->span_low,
		.span_high = m->span_high,
		.numbering = f->numbering,
		.before_shift = f->renumbered.undecided,
		.old_min_step = f->renumbered.old_min_step,
		.old_max_step = f->renumbered.old_max_step,
		.max_step = f->caps.max_step,
	};
	clock_utc_text(clock_utc_ms(), out->time);
	text_copy_clean(out->why, sizeof out->why, m->why);
	text_copy_clean(out->driver, sizeof out->driver, dev->info.driver);
	text_copy_clean(out->device, sizeof out->device, f->caps.identity);
	text_copy_clean(out->port, sizeof out->port, dev->info.where);
	text_copy_clean(out->port_serial, sizeof out->port_serial, f->book.fresh.serial);
}

void memory_renumber(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	bool held = f->renumbered.refusal[0] != '\0';
	renumbered_judge(&(struct renumbered_case){
		.last = f->memory.has_last ? &f->memory.last : NULL,
		.driver = dev->info.driver,
		.numbering = f->numbering,
		.limits_known = f->driver->by_hand || f->caps.move_refusal[0] == '\0',
		.min_step = f->cfg->min_step,
		.max_step = f->cfg->port.max_step,
	}, &f->renumbered);
	if (f->renumbered.note[0] != '\0') {
		log_warn(dev->info.source, "%s", f->renumbered.note);
	}
	if (f->renumbered.refusal[0] != '\0' && !held) {
		log_error(dev->info.source, "%s is %s", dev->info.name, f->renumbered.refusal);
	}
}

static void note(struct device *dev, const struct position_entry *entry)
{
	struct focuser_memory *m = &focuser_of(dev)->memory;
	m->last = *entry;
	m->has_last = true;
	m->noted_position = entry->position;
	m->progress_ms = clock_now_ms(dev->clock);
	m->retry_real_ms = clock_now_ms(clock_real()) + RETRY_MS;
	if (m->journal != NULL) {
		m->ticket = position_journal_note(m->journal, entry);
	}
}

void memory_rest(struct device *dev)
{
	struct position_entry entry;
	fill(dev, &entry);
	note(dev, &entry);
}

/* Whether the newest entry is on the disk or given up; notices when it fails and when it heals. */
static bool settled(struct device *dev)
{
	struct focuser_memory *m = &focuser_of(dev)->memory;
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

/* Whether the numbers of both entries are to be read in the same way. */
static bool same_numbers(const struct position_entry *a, const struct position_entry *b)
{
	return a->before_shift == b->before_shift && a->old_min_step == b->old_min_step &&
	       a->old_max_step == b->old_max_step && numbering_same(&a->numbering, &b->numbering);
}

void memory_seen(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct focuser_memory *m = &f->memory;
	if (!f->motion.known) {
		return;
	}
	bool done = settled(dev);
	if (f->set_position.unsure && !f->motion.drifting && (!f->motion.moving || f->motion.stuck)) {
		/* What the device says here shows whether it has its new count. */
		memory_judge(dev);
		device_changed(dev);
		return;
	}
	if (f->phase == MOVE_NONE && !f->motion.moving && !f->motion.drifting && !f->halt.wanted) {
		struct position_entry now;
		fill(dev, &now);
		bool same = m->has_last && !m->last.moving && m->last.trust == now.trust &&
			    m->last.offset_known == now.offset_known && m->last.offset == now.offset &&
			    same_numbers(&m->last, &now) && strcmp(m->last.driver, now.driver) == 0 &&
			    strcmp(m->last.port_serial, now.port_serial) == 0 &&
			    focuser_distance(m->last.position, now.position) <= focuser_tolerance(f);
		bool retry = done && m->failing && clock_now_ms(clock_real()) >= m->retry_real_ms;
		if (!same || retry) {
			note(dev, &now);
		}
	} else if (m->has_last && m->last.moving && m->noted_op == f->op) {
		/* Where the motor is on its way is known in memory at once, and brought to the disk every few
		 * seconds. */
		m->last.position = motor_position(f);
		clock_utc_text(clock_utc_ms(), m->last.time);
		if (m->last.position != m->noted_position &&
			clock_now_ms(dev->clock) - m->progress_ms >= PROGRESS_MS) {
			struct position_entry entry = m->last;
			note(dev, &entry);
		}
	}
}

/* The place where the motor turns when it overshoots on the way to a target. */
static int32_t turning_point(const struct focuser_core *f, int32_t target)
{
	return moves_clamp(&f->rules, target - focuser_approach_sign(f) * f->rules.backlash_steps);
}

/* Fills an entry with every place that the planned way may lead through, in the motor's steps. */
static void fill_way(struct device *dev, struct position_entry *out)
{
	struct focuser_core *f = focuser_of(dev);
	const struct focuser_memory *m = &f->memory;
	fill(dev, out);
	out->moving = true;
	out->target = numbering_motor(&f->numbering, f->target);
	/* The turning point of an overshoot belongs to the way also where none is planned, since a leg that ends
	 * beyond the target is followed by one. */
	const int32_t place[] = {out->target, numbering_motor(&f->numbering, turning_point(f, f->target))};
	for (size_t i = 0; i < sizeof place / sizeof place[0]; i++) {
		out->low = place[i] < out->low ? place[i] : out->low;
		out->high = place[i] > out->high ? place[i] : out->high;
	}
	if (m->has_last && m->last.moving && f->motion.moving) {
		/* The way that this one replaces goes on until the motor hears of it. */
		out->low = m->last.low < out->low ? m->last.low : out->low;
		out->high = m->last.high > out->high ? m->last.high : out->high;
	}
}

bool memory_begin(struct device *dev, int64_t *next_ms)
{
	struct focuser_core *f = focuser_of(dev);
	struct focuser_memory *m = &f->memory;
	int64_t now = clock_now_ms(clock_real());
	if (m->noted_op != f->op || !m->has_last || !m->last.moving) {
		if (m->trust != POSITION_KNOWN && log_lasting_news(&m->doubtful, focuser_trust_name(m->trust))) {
			log_warn(dev->info.source, "moves to %d with a position that is %s", (int)f->target,
				focuser_trust_name(m->trust));
		}
		struct position_entry entry;
		fill_way(dev, &entry);
		m->noted_op = f->op;
		if (f->driver->count == FOCUSER_COUNT_SIMULATED && m->has_last && m->last.moving) {
			/* A new target of a simulated motor is brought to the disk with its progress: nothing stands
			 * elsewhere in the sky when a power cut loses it, and the disk has no work with a client
			 * that sends targets as fast as it can. */
			m->last = entry;
			return true;
		}
		note(dev, &entry);
		m->patience_real_ms = now + POSITION_JOURNAL_PATIENCE_MS;
	}
	if (settled(dev)) {
		if (now < m->patience_real_ms) {
			(void)log_lasting_over(&m->late);
		}
		return true;
	}
	if (now >= m->patience_real_ms) {
		if (log_lasting_news(&m->late, "late")) {
			log_warn(dev->info.source, "the disk is slow: a move begins before it is noted; until it is, "
				"a power cut loses the position");
		}
		if (!m->failing) {
			m->failing = true; /* until settled() sees the entry on the disk */
			device_changed(dev);
		}
		return true;
	}
	double left_ms = (double)(m->patience_real_ms - now) * clock_factor(dev->clock);
	*next_ms = clock_now_ms(dev->clock) + (int64_t)left_ms + 1;
	return false;
}

void memory_doubt(struct device *dev, const char *why)
{
	struct focuser_memory *m = &focuser_of(dev)->memory;
	m->trust = POSITION_UNKNOWN;
	m->offset_known = false;
	m->offset = 0;
	m->span_known = false;
	text_copy_clean(m->why, sizeof m->why, why);
	if (m->has_last && m->last.moving) {
		/* The doubt is noted before the motor rests, since it may go on whatever it is told, until
		 * somebody cuts the power. */
		struct position_entry entry = m->last;
		entry.trust = m->trust;
		entry.offset_known = false;
		entry.offset = 0;
		entry.span_known = false;
		text_copy_clean(entry.why, sizeof entry.why, m->why);
		note(dev, &entry);
	}
	device_changed(dev);
}

void memory_judge(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct focuser_memory *m = &f->memory;
	set_position_settled(&f->set_position);
	if (!f->motion.known) {
		memory_doubt(dev, f->driver->by_hand ? "Nobody has said yet where it stands"
						     : "It has not said where it is");
		return;
	}
	struct position_seen seen = {
		.position = motor_position(f),
		.moving = f->motion.moving,
		.keeps = f->driver->count != FOCUSER_COUNT_MAY_BE_LOST,
		.reset = f->fresh.reset_seen,
		.halted = f->stop.sent || (f->stop.unsure && f->stop.verdict == STOP_RESTS),
		.tolerance = focuser_tolerance(f),
		.numbering = f->numbering,
		.driver = dev->info.driver,
		.device = f->caps.identity,
		.port_serial = f->book.fresh.serial,
	};
	struct position_verdict verdict;
	position_judge(m->found, m->has_last ? &m->last : NULL, &seen, &verdict);
	m->found = POSITION_READ;
	m->trust = verdict.trust;
	m->offset_known = verdict.offset_known;
	m->offset = verdict.offset;
	m->span_known = verdict.span_known;
	m->span_low = verdict.span_low;
	m->span_high = verdict.span_high;
	snprintf(m->why, sizeof m->why, "%s", verdict.why);
	(void)log_lasting_over(&m->doubtful);
	if (m->trust == POSITION_KNOWN) {
		(void)log_lasting_over(&m->doubts);
	}
	if (m->trust != POSITION_KNOWN && log_lasting_news(&m->doubts, m->why)) {
		log_warn(dev->info.source, "position %s: %s", focuser_trust_name(m->trust), m->why);
	} else if (verdict.note[0] != '\0') {
		log_warn(dev->info.source, "%s", verdict.note);
	}
	memory_seen(dev);
}

void memory_afresh(struct device *dev)
{
	struct focuser_memory *m = &focuser_of(dev)->memory;
	m->trust = POSITION_KNOWN;
	m->offset_known = false;
	m->offset = 0;
	m->span_known = false;
	m->why[0] = '\0';
	/* A journal that was damaged is settled by this entry, also when the device had no position to judge. */
	m->found = POSITION_READ;
	(void)log_lasting_over(&m->doubts);
	memory_rest(dev);
	device_changed(dev);
}

static int32_t narrow(int64_t steps)
{
	return steps > INT32_MAX ? INT32_MAX : steps < INT32_MIN ? INT32_MIN : (int32_t)steps;
}

/* Where the motor may be, in clients' steps inside the range. */
static void span_published(const struct focuser_core *f, int32_t *low, int32_t *high)
{
	int64_t motor = motor_position(f);
	int32_t a = numbering_published(&f->numbering, motor + f->memory.span_low);
	int32_t b = numbering_published(&f->numbering, motor + f->memory.span_high);
	*low = a < b ? a : b;
	*high = a < b ? b : a;
	*low = *low < 0 ? 0 : *low;
	*high = *high > f->caps.max_step ? f->caps.max_step : *high;
}

void memory_restored(struct device *dev, int32_t said, int32_t seen)
{
	const struct focuser_core *f = focuser_of(dev);
	struct focuser_memory *m = &focuser_of(dev)->memory;
	if (!m->span_known) {
		memory_afresh(dev);
		return;
	}
	int64_t shift = (int64_t)said - seen;
	m->trust = POSITION_UNKNOWN;
	m->offset_known = false;
	m->offset = 0;
	m->span_low = narrow(m->span_low + shift);
	m->span_high = narrow(m->span_high + shift);
	int32_t low;
	int32_t high;
	span_published(f, &low, &high);
	snprintf(m->why, sizeof m->why, "It was set to %d, where it was last seen on a move that was cut short: it can "
		"be anywhere from %d to %d", (int)f->motion.position, (int)low, (int)high);
	log_warn(dev->info.source, "position unknown: %s", m->why);
	memory_rest(dev);
	device_changed(dev);
}

/* A position in clients' steps by the count from before a shift; false when it is outside the range. */
static bool by_remembered_count(const struct focuser_core *f, int32_t position, int32_t *out)
{
	int64_t count = (int64_t)numbering_motor(&f->numbering, position) + f->memory.offset;
	if (count < INT32_MIN || count > INT32_MAX) {
		return false;
	}
	*out = numbering_published(&f->numbering, count);
	return *out >= 0 && *out <= f->caps.max_step;
}

enum err_code memory_allows(struct device *dev, int32_t target, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	const struct focuser_memory *m = &f->memory;
	if (m->trust == POSITION_KNOWN || !m->offset_known) {
		return ERR_OK;
	}
	int32_t there;
	int32_t here;
	int32_t turn = turning_point(f, target);
	bool target_in = by_remembered_count(f, target, &there);
	if (!by_remembered_count(f, f->motion.position, &here) ||
		(target_in && by_remembered_count(f, turn, &there))) {
		return ERR_OK;
	}
	return err_set(err, ERR_INVALID_OPERATION,
		"the position of %s is %s: by the count from before, %d%s lies outside 0..%d; SetPosition "
		"restore or keep settles it",
		dev->info.name, focuser_trust_name(m->trust), (int)(target_in ? turn : target),
		target_in ? ", where it turns," : "", (int)f->caps.max_step);
}

void memory_state(struct device *dev, struct focuser_state *out)
{
	const struct focuser_core *f = focuser_of(dev);
	const struct focuser_memory *m = &f->memory;
	out->trust = m->trust;
	snprintf(out->trust_why, sizeof out->trust_why, "%s", m->why);
	out->remembered_known = f->motion.known && m->trust != POSITION_KNOWN && m->offset_known &&
				by_remembered_count(f, f->motion.position, &out->remembered);
	out->within_known = f->motion.known && m->trust == POSITION_UNKNOWN && m->span_known;
	if (out->within_known) {
		span_published(f, &out->within_low, &out->within_high);
	}
	out->can_set_position = f->driver->set_position != NULL && !f->caps.counts_itself;
	out->journal_failing = m->failing;
}
