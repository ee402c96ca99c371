/* SPDX-License-Identifier: MIT */
/*
 * A focuser behind an INDI server (properties: libindi 1.9.9, indifocuserinterface.cpp).  The driver asks for nothing
 * that the server tells by itself: a poll looks at what has come.
 *
 * A focuser that knows where it is has ABS_FOCUS_POSITION.  One that can only be told "so far inwards" is counted here:
 * its count is kept as long as the server lives, and is in doubt after an abort, because nobody tells how far the
 * motor came.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "focuser_driver.h"
#include "indi_peer.h"
#include "moment.h"

/* One try of identify may last 1.2 s. */
#define IDENTIFY_MS 1100
/* A driver answers an order with a state; libindi's do within one turn of their loop, slow serial ones within a second.
 * A start does not wait longer, since the motion is watched anyway. */
#define REACTION_MS 800
/* A driver that has taken a target without a word counts as moving for so long, because some say nothing until the
 * motor rests (indi_simulator_focus); core gives a motor up that stands still before that. */
#define SILENT_START_MS 10000
/* Some drivers end a move with Ok and the old position, and tell the new one in the next message (SestoSenso 2,
 * indi issue 1999): away from its target a motor counts as at rest after so long without a change. */
#define AT_REST_MS 1500
#define SET_POSITION_MS 1500

#define ABS "ABS_FOCUS_POSITION"
#define ABS_MEMBER "FOCUS_ABSOLUTE_POSITION"
#define REL "REL_FOCUS_POSITION"
#define REL_MEMBER "FOCUS_RELATIVE_POSITION"

/* The count of a focuser without one; outlives the link. */
struct counted {
	_Atomic bool begun;
	_Atomic int32_t position;
};

struct indi_focuser {
	struct indi_peer peer;
	const struct focuser_port *port;
	int32_t max_step, min_step;
	struct counted *counted;    /* NULL: the focuser knows where it is */
	/* The last order. */
	bool under_way;             /* not seen at rest since, or somebody else moves it */
	bool ours;                  /* what is under way is the last order */
	int32_t target;
	int32_t from;               /* of a counted one */
	uint64_t sent_at;           /* count of the store's updates */
	int64_t sent_ms;
	bool reacted;               /* the driver has said something about it */
	bool doubtful;              /* a counted one was stopped on its way: to be told once */
	/* What the driver said last of the motor. */
	int32_t position;
	int64_t changed_ms;
};

extern const struct focuser_driver indi_driver;

static const char *move_property(const struct indi_focuser *f)
{
	return f->counted != NULL ? REL : ABS;
}

static bool is_focuser(const struct indi_store *store, const char *device)
{
	const struct indi_property *abs = indi_store_find(store, device, ABS);
	const struct indi_property *rel = indi_store_find(store, device, REL);
	const struct indi_member *m = indi_member_find(abs, ABS_MEMBER);
	/* A range of 0..0 means that the driver does not know it yet. */
	return abs != NULL ? m != NULL && m->max > m->min && !isnan(m->value) : rel != NULL;
}

static enum err_code indi_focuser_open(void *ctx, const struct focuser_port *port, const struct driver_host *host,
	struct err *err)
{
	struct indi_focuser *f = ctx;
	f->port = port;
	return indi_peer_open(&f->peer, port->port, port->device, INDI_IS_FOCUSER, host, err);
}

static void indi_focuser_close(void *ctx)
{
	struct indi_focuser *f = ctx;
	indi_peer_close(&f->peer);
}

static int32_t steps(double value)
{
	return value >= INT32_MAX ? INT32_MAX : value <= INT32_MIN ? INT32_MIN : (int32_t)lround(value);
}

/* The first number of a property that is called like a temperature: FOCUS_TEMPERATURE.TEMPERATURE of most,
 * FOCUS_TEMPERATURE_VALUE (TCF-S), TEMP (FocusCube 3), TEMPERATURE_ETX (SestoSenso 2).  NULL when there is none. */
static const struct indi_member *temperature_of(const struct indi_store *store, const char *device)
{
	static const char *const properties[] = {"FOCUS_TEMPERATURE", "TEMPERATURE", "TEMP"};
	for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
		const struct indi_property *p = indi_store_find(store, device, properties[i]);
		for (size_t k = 0; p != NULL && p->type == INDI_NUMBER && k < p->members; k++) {
			if (strstr(p->member[k].name, "TEMP") != NULL) {
				return &p->member[k];
			}
		}
	}
	return NULL;
}

/* How much backlash INDI's driver or the device takes up: exactly one of them and focusd may. */
static int32_t own_backlash(const struct indi_store *store, const char *device)
{
	double taken = indi_store_number(store, device, "FOCUS_BACKLASH_STEPS", "FOCUS_BACKLASH_VALUE");
	bool on = indi_store_on(store, device, "FOCUS_BACKLASH_TOGGLE", "INDI_ENABLED");
	return on && taken > 0 ? steps(taken) : 0;
}

/* Reads range and count of a focuser that knows where it is. */
static void learn_absolute(struct indi_focuser *f, const struct indi_store *store)
{
	const struct indi_property *p = indi_store_find(store, f->peer.device, ABS);
	const struct indi_member *m = indi_member_find(p, ABS_MEMBER);
	f->max_step = steps(floor(m->max));
	f->min_step = m->min > 0 ? steps(ceil(m->min)) : 0;
	f->position = steps(m->value);
	f->under_way = p->state == INDI_BUSY;
	f->reacted = true;
	f->target = f->position;
}

/* Gets the count of one that does not; it begins in the middle of its range. */
static enum err_code learn_counted(struct indi_focuser *f, struct err *err)
{
	char key[48];
	if (f->port->max_step <= 0) {
		return err_set(err, ERR_REFUSED, "'%.40s' does not know where it stands, so focusd has to count: write "
			"the length of its way in steps as max_step = N", f->peer.device);
	}
	const struct driver_host *host = f->peer.host;
	snprintf(key, sizeof key, "indi:counted:%d", host->number);
	f->counted = host->share(host->share_ctx, key, sizeof *f->counted);
	if (f->counted == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	f->max_step = f->port->max_step;
	if (!atomic_load(&f->counted->begun)) {
		atomic_store(&f->counted->position, f->max_step / 2);
		atomic_store(&f->counted->begun, true);
	}
	f->position = atomic_load(&f->counted->position);
	return ERR_OK;
}

static enum err_code indi_focuser_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	struct indi_focuser *f = ctx;
	enum err_code code = indi_peer_up(&f->peer, is_focuser, real_ms() + IDENTIFY_MS, err);
	if (code != ERR_OK) {
		return code;
	}
	const char *device = f->peer.device;
	memset(caps, 0, sizeof *caps);
	const struct indi_store *store = indi_line_look(f->peer.line);
	bool absolute = indi_store_find(store, device, ABS) != NULL;
	if (absolute && is_focuser(store, device)) {
		learn_absolute(f, store);
	}
	const struct indi_member *longest = indi_member_find(indi_store_find(store, device, REL), REL_MEMBER);
	double increment = !absolute && longest != NULL && longest->max > 0 ? longest->max : INT32_MAX;
	caps->has_temperature = temperature_of(store, device) != NULL;
	caps->backlash_steps = own_backlash(store, device);
	indi_line_done(f->peer.line);
	code = absolute ? ERR_OK : learn_counted(f, err);
	if (code == ERR_OK && f->max_step <= 0) {
		code = err_set(err, ERR_PROTOCOL, "INDI's driver of '%.40s' has lost its range", device);
	}
	if (code != ERR_OK) {
		return code;
	}
	f->changed_ms = real_ms();
	caps->max_step = f->max_step;
	caps->min_step = f->min_step;
	caps->max_increment = increment < f->max_step ? steps(increment) : f->max_step;
	caps->step_size_um = NAN;
	caps->told_at_rest = f->counted != NULL;
	snprintf(caps->identity, sizeof caps->identity, "INDI: %s", device);
	return ERR_OK;
}

/* ---- orders ---- */

struct reaction {
	const struct indi_focuser *f;
	const char *property;
	uint64_t since;
};

/* Whether the driver has said something about the property since. */
static bool has_reacted(const struct indi_store *store, void *arg)
{
	const struct reaction *r = arg;
	const struct indi_property *p = indi_store_find(store, r->f->peer.device, r->property);
	return p == NULL || p->updates > r->since;
}

/* Whether it said that it failed; the sentence has its own words. */
static enum err_code check_alert(const struct indi_focuser *f, const char *property, uint64_t since, const char *what,
	struct err *err)
{
	const struct indi_store *store = indi_line_look(f->peer.line);
	const struct indi_property *p = indi_store_find(store, f->peer.device, property);
	enum err_code code = ERR_OK;
	if (p != NULL && p->state == INDI_ALERT && p->updates > since) {
		code = err_set(err, ERR_REFUSED, "'%.40s' refuses %s: %.120s", f->peer.device, what,
			indi_last_words(store, f->peer.device, since));
	}
	indi_line_done(f->peer.line);
	return code;
}

/* Looks at the store before an order: the device has to be there, and its count of updates is noted. */
static enum err_code before_order(struct indi_focuser *f, const char *property, struct err *err)
{
	enum err_code code = indi_line_check(f->peer.line, err);
	if (code != ERR_OK) {
		return code;
	}
	const struct indi_store *store = indi_line_look(f->peer.line);
	code = indi_peer_check(&f->peer, store, err);
	if (code == ERR_OK && indi_store_find(store, f->peer.device, property) == NULL) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "INDI's driver of '%.40s' has no %s", f->peer.device,
			property);
	}
	f->sent_at = store->updates;
	indi_line_done(f->peer.line);
	return code;
}

static enum err_code send_move(struct indi_focuser *f, int32_t target, struct err *err)
{
	const char *device = f->peer.device;
	if (f->counted == NULL) {
		struct indi_set set = {ABS_MEMBER, target};
		return indi_line_set(f->peer.line, device, ABS, &set, 1, err);
	}
	f->from = atomic_load(&f->counted->position);
	/* The direction first; both go out on one connection, so that the driver gets them in this order. */
	enum err_code code = indi_line_switch(f->peer.line, device, "FOCUS_MOTION",
		target < f->from ? "FOCUS_INWARD" : "FOCUS_OUTWARD", err);
	struct indi_set set = {REL_MEMBER, abs(target - f->from)};
	return code == ERR_OK ? indi_line_set(f->peer.line, device, REL, &set, 1, err) : code;
}

static enum err_code indi_focuser_start(void *ctx, int32_t target, struct err *err)
{
	struct indi_focuser *f = ctx;
	const struct driver_host *host = f->peer.host;
	const char *property = move_property(f);
	enum err_code code = before_order(f, property, err);
	if (code != ERR_OK) {
		return code;
	}
	if (target < f->min_step || target > f->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside %d..%d", (int)target, (int)f->min_step,
			(int)f->max_step);
	}
	if (target == f->position && !f->under_way) {
		/* Drivers may say nothing at all about a target where they are. */
		f->target = target;
		return ERR_OK;
	}
	if (f->counted != NULL && f->under_way) {
		return err_set(err, ERR_INVALID_OPERATION, "'%.40s' moves, and takes no new target before it rests",
			f->peer.device);
	}
	if (host->urgent != NULL && host->urgent(host->urgent_ctx)) {
		return err_set(err, ERR_CANCELLED, "the move was not begun");
	}
	f->under_way = true;
	f->ours = true;
	f->reacted = false;
	f->target = target;
	f->sent_ms = real_ms();
	f->changed_ms = f->sent_ms;
	code = send_move(f, target, err);
	struct reaction r = {f, property, f->sent_at};
	struct err none;
	if (code == ERR_OK) {
		/* Silence is no failure: the motion is watched. */
		indi_line_wait(f->peer.line, host, true, has_reacted, &r, f->sent_ms + REACTION_MS, &none);
		code = check_alert(f, property, f->sent_at, "the move", err);
	}
	f->under_way = code == ERR_OK;
	return code;
}

static enum err_code indi_focuser_halt(void *ctx, struct err *err)
{
	struct indi_focuser *f = ctx;
	const char *device = f->peer.device;
	enum err_code code = before_order(f, "FOCUS_ABORT_MOTION", err);
	if (code == ERR_NOT_IMPLEMENTED && f->counted == NULL && f->under_way) {
		/* Without an abort the nearest thing to a halt is to want the motor where it was seen last. */
		struct indi_set set = {ABS_MEMBER, f->position};
		f->target = f->position;
		return indi_line_set(f->peer.line, device, ABS, &set, 1, err);
	}
	if (code == ERR_NOT_IMPLEMENTED && !f->under_way) {
		return ERR_OK;
	}
	if (code != ERR_OK) {
		return code;
	}
	code = indi_line_switch(f->peer.line, device, "FOCUS_ABORT_MOTION", "ABORT", err);
	f->doubtful = f->counted != NULL && f->under_way;
	return code;
}

/* ---- readings ---- */

/* Whether the motor moves, by what the driver says and what it was told. */
static bool is_moving(struct indi_focuser *f, const struct indi_property *p, int64_t now)
{
	if (p->state == INDI_BUSY) {
		f->under_way = true;
		f->reacted = true;
		return true;
	}
	if (!f->under_way) {
		return false;
	}
	f->reacted = f->reacted || p->updates > f->sent_at;
	if (!f->reacted) {
		return now - f->sent_ms < SILENT_START_MS;
	}
	if (p->state == INDI_OK && f->ours && f->counted == NULL && f->position != f->target) {
		return now - f->changed_ms < AT_REST_MS;
	}
	return false;
}

/* Where a counted motor is: where it was told to go once it rests, and where it came from until then. */
static int32_t count(struct indi_focuser *f, const struct indi_property *p, bool moving)
{
	if (f->under_way && f->ours && !moving && p->state != INDI_ALERT && !f->doubtful) {
		atomic_store(&f->counted->position, f->target);
	}
	return atomic_load(&f->counted->position);
}

static void read_motion(struct indi_focuser *f, const struct indi_store *store, const struct indi_property *p,
	struct focuser_reading *out)
{
	int64_t now = real_ms();
	const struct indi_member *m = indi_member_find(p, ABS_MEMBER);
	int32_t position = f->position;
	if (f->counted == NULL && m != NULL && !isnan(m->value)) {
		position = steps(m->value);
	}
	if (position != f->position) {
		f->position = position;
		f->changed_ms = now;
	}
	out->moving_valid = true;
	out->moving = is_moving(f, p, now);
	if (f->counted != NULL) {
		f->position = count(f, p, out->moving);
		out->reset_seen = (f->doubtful || (f->under_way && p->state == INDI_ALERT)) && !out->moving;
		f->doubtful = f->doubtful && out->moving;
	}
	if (f->under_way && f->ours && f->counted == NULL && p->state == INDI_ALERT && p->updates > f->sent_at) {
		out->motion_failed = true;
		err_set(&out->failure, ERR_STALLED, "'%.40s' gave up on its way to %d: %.120s", f->peer.device,
			(int)f->target, indi_last_words(store, f->peer.device, f->sent_at));
	}
	f->under_way = out->moving;
	f->ours = f->ours && out->moving;
	out->position_valid = true;
	out->position = f->position;
}

static enum err_code indi_focuser_poll(void *ctx, unsigned want, struct focuser_reading *out, struct err *err)
{
	(void)want;
	struct indi_focuser *f = ctx;
	struct focuser_reading reading = {0};
	enum err_code code = indi_line_check(f->peer.line, err);
	if (code != ERR_OK) {
		return code;
	}
	const struct indi_store *store = indi_line_look(f->peer.line);
	code = indi_peer_check(&f->peer, store, err);
	const struct indi_property *p = indi_store_find(store, f->peer.device, move_property(f));
	if (code == ERR_OK && p == NULL) {
		code = err_set(err, ERR_IO, "INDI's driver of '%.40s' has taken %s back", f->peer.device,
			move_property(f));
	}
	if (code == ERR_OK) {
		read_motion(f, store, p, &reading);
		const struct indi_member *temperature = temperature_of(store, f->peer.device);
		reading.temperature_valid = temperature != NULL && isfinite(temperature->value);
		reading.temperature_c = reading.temperature_valid ? temperature->value : 0.0;
		reading.backlash_valid = true;
		reading.backlash_steps = own_backlash(store, f->peer.device);
		*out = reading;
	}
	indi_line_done(f->peer.line);
	return code;
}

static enum err_code indi_focuser_posted(void *ctx, const void *data, size_t size, struct err *err)
{
	(void)data;
	(void)size;
	struct indi_focuser *f = ctx;
	return indi_peer_posted(&f->peer, err);
}

struct told {
	const struct indi_focuser *f;
	int32_t position;
};

static bool stands_there(const struct indi_store *store, void *arg)
{
	const struct told *t = arg;
	double value = indi_store_number(store, t->f->peer.device, ABS, ABS_MEMBER);
	const struct indi_property *sync = indi_store_find(store, t->f->peer.device, "FOCUS_SYNC");
	return (isfinite(value) && steps(value) == t->position)
		|| (sync != NULL && sync->state == INDI_ALERT && sync->updates > t->f->sent_at);
}

static enum err_code indi_focuser_set_position(void *ctx, int32_t position, struct err *err)
{
	struct indi_focuser *f = ctx;
	if (position < 0 || position > f->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)position, (int)f->max_step);
	}
	if (f->counted != NULL) {
		atomic_store(&f->counted->position, position);
		f->position = position;
		return ERR_OK;
	}
	enum err_code code = before_order(f, "FOCUS_SYNC", err);
	if (code != ERR_OK) {
		return code;
	}
	struct indi_set set = {"FOCUS_SYNC_VALUE", position};
	struct told told = {f, position};
	code = indi_line_set(f->peer.line, f->peer.device, "FOCUS_SYNC", &set, 1, err);
	if (code == ERR_OK) {
		code = indi_line_wait(f->peer.line, f->peer.host, true, stands_there, &told,
			real_ms() + SET_POSITION_MS, err);
	}
	if (code == ERR_OK) {
		code = check_alert(f, "FOCUS_SYNC", f->sent_at, "to be told where it stands", err);
	}
	return code;
}

const struct focuser_driver indi_driver = {
	.name = "indi",
	.title = "INDI focuser",
	.ctx_size = sizeof(struct indi_focuser),
	.uses_port = true,
	.read_port = indi_read_port,
	.uses_device = true,
	.behind_server = true,
	.count = FOCUSER_COUNT_MAY_BE_LOST,
	/* What the server tells is posted; these are for what happens in silence. */
	.poll_moving_ms = 250,
	.poll_idle_ms = 5000,
	.poll_temperature_ms = 30000,
	.speed_floor_steps_per_s = 20, /* geared motors of 28BYJ size; nobody knows what is behind the server */
	.open = indi_focuser_open,
	.identify = indi_focuser_identify,
	.close = indi_focuser_close,
	.start_move = indi_focuser_start,
	.halt = indi_focuser_halt,
	.poll = indi_focuser_poll,
	.posted = indi_focuser_posted,
	.set_position = indi_focuser_set_position,
};
