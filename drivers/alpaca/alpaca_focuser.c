/* SPDX-License-Identifier: MIT */
/*
 * A focuser that another Alpaca server offers (IFocuserV2 to V4).  Its position, its limits and its motion are that
 * server's affair; backlash, limits of the configuration, journal and autofocus stand in front of it as in front of any
 * other.  Whether it takes up backlash itself no Alpaca member tells.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alpaca_client.h"
#include "alpaca_count.h"
#include "focuser_driver.h"
#include "log.h"
#include "moment.h"

/* One try of identify() may take 1.2 s, any other call two seconds. */
#define IDENTIFY_MS 1150
#define CALL_MS 1800
#define HALT_MS 1500
/* A temperature that does not come must not fail the motion. */
#define TEMPERATURE_MS 500

/* What is asked once, in this order; each answer is kept from one try of identify() to the next. */
enum fact { FACT_ABSOLUTE, FACT_MAX_STEP, FACT_MAX_INCREMENT, FACT_STEP_SIZE, FACT_TEMPCOMP, FACT_TEMPERATURE, FACTS };

struct alpaca_focuser {
	struct alpaca_client client;
	const struct focuser_port *port;
	struct alpaca_count *count;  /* of a focuser that does not know where it stands; NULL: it does */
	struct focuser_caps caps;    /* as far as facts were asked */
	enum fact next;
	int32_t target;              /* of the last order */
	bool sent;                   /* an order to move was given, and no rest was seen since */
	bool arrives;                /* with count: that order was taken, and no halt was sent since */
	bool halt_owed;              /* a halt overtook an order that is still out */
	bool celsius_known;          /* a temperature was read while it was identified, and not told yet */
	double celsius;
};

extern const struct focuser_driver alpaca_driver;

static enum err_code focuser_open(void *ctx, const struct focuser_port *port, const struct driver_host *host,
	struct err *err)
{
	struct alpaca_focuser *f = ctx;
	f->port = port;
	return alpaca_client_open(&f->client, "focuser", port->port, port->device, host, err);
}

static void focuser_close(void *ctx)
{
	struct alpaca_focuser *f = ctx;
	alpaca_client_close(&f->client);
	*f = (struct alpaca_focuser){.next = 0};
}

/* ---- what it is ---- */

/* Forgives that a device lacks a member, which *missing then says; any other failure remains one. */
static enum err_code optional(enum err_code code, bool *missing)
{
	*missing = code == ERR_NOT_IMPLEMENTED;
	return *missing ? ERR_OK : code;
}

static enum err_code ask_absolute(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	bool absolute = false;
	enum err_code code = alpaca_get_bool(&f->client, "absolute", deadline_ms, &absolute, err);
	f->count = NULL;
	f->caps.counts_itself = absolute;
	if (code != ERR_OK || absolute) {
		return code;
	}
	if (f->port->max_step <= 0) {
		return err_set(err, ERR_REFUSED, "focuser %d of %s is a relative one, which does not know where it "
			"stands, so focusd has to count: write the length of its way in steps as max_step = N",
			f->client.number, alpaca_http_name(f->client.http));
	}
	f->caps.told_at_rest = true;
	f->caps.max_step = f->port->max_step;
	f->count = alpaca_count_of(f->client.host, f->port->max_step);
	return f->count != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for the count of a focuser");
}

static enum err_code ask_limits(struct alpaca_focuser *f, enum fact fact, int64_t deadline_ms, struct err *err)
{
	bool whole = fact == FACT_MAX_STEP;
	int32_t steps = 0;
	if (whole && f->count != NULL) {
		return ERR_OK; /* what a relative focuser calls so is the longest single way */
	}
	enum err_code code =
		alpaca_get_int(&f->client, whole ? "maxstep" : "maxincrement", deadline_ms, &steps, err);
	if (code != ERR_OK) {
		return code;
	}
	if (steps < 1) {
		return err_set(err, ERR_PROTOCOL, "%s says that its focuser has %s %d",
			alpaca_http_name(f->client.http), whole ? "MaxStep" : "MaxIncrement", (int)steps);
	}
	if (whole) {
		f->caps.max_step = steps;
	} else {
		f->caps.max_increment = steps < f->caps.max_step ? steps : f->caps.max_step;
	}
	return ERR_OK;
}

static enum err_code ask_step_size(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	bool missing;
	double size_um = NAN;
	f->caps.step_size_um = NAN;
	enum err_code code = optional(alpaca_get_double(&f->client, "stepsize", deadline_ms, &size_um, err), &missing);
	if (code == ERR_OK && !missing && size_um > 0) {
		f->caps.step_size_um = size_um;
	}
	return code;
}

static enum err_code ask_tempcomp(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	bool missing, available = false;
	enum err_code code =
		optional(alpaca_get_bool(&f->client, "tempcompavailable", deadline_ms, &available, err), &missing);
	if (code == ERR_OK && !missing && available) {
		f->caps.has_tempcomp = true;
		code = alpaca_get_bool(&f->client, "tempcomp", deadline_ms, &f->caps.tempcomp_on, err);
	}
	return code;
}

/* A sensor that cannot be read at this moment is there all the same. */
static enum err_code ask_temperature(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	enum err_code code = alpaca_get_double(&f->client, "temperature", deadline_ms, &f->celsius, err);
	f->celsius_known = code == ERR_OK;
	f->caps.has_temperature = code != ERR_NOT_IMPLEMENTED;
	bool line = code == ERR_IO || code == ERR_TIMEOUT || code == ERR_CANCELLED || code == ERR_PROTOCOL;
	return line ? code : ERR_OK;
}

static enum err_code ask_fact(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	switch (f->next) {
	case FACT_ABSOLUTE:
		return ask_absolute(f, deadline_ms, err);
	case FACT_MAX_STEP:
	case FACT_MAX_INCREMENT:
		return ask_limits(f, f->next, deadline_ms, err);
	case FACT_STEP_SIZE:
		return ask_step_size(f, deadline_ms, err);
	case FACT_TEMPCOMP:
		return ask_tempcomp(f, deadline_ms, err);
	case FACT_TEMPERATURE:
		return ask_temperature(f, deadline_ms, err);
	case FACTS:
		break;
	}
	return ERR_OK;
}

static enum err_code focuser_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	struct alpaca_focuser *f = ctx;
	struct alpaca_client *c = &f->client;
	int64_t deadline_ms = real_ms() + IDENTIFY_MS;
	enum err_code code = alpaca_client_link(c, deadline_ms, err);
	if (f->next == 0) {
		f->caps = (struct focuser_caps){.backlash_untold = true};
	}
	while (code == ERR_OK && f->next < FACTS) {
		code = ask_fact(f, deadline_ms, err);
		f->next += code == ERR_OK ? 1 : 0;
	}
	if (code != ERR_OK) {
		return code;
	}
	snprintf(f->caps.identity, sizeof f->caps.identity, "%.50s%s%.37s",
		c->name[0] != '\0' ? c->name : "Alpaca focuser", c->unique_id[0] != '\0' ? ", " : "", c->unique_id);
	*caps = f->caps;
	f->next = 0;
	return ERR_OK;
}

/* ---- motion ---- */

/* Whether it is the device that complains, and not the line. */
static bool device_complains(enum err_code code)
{
	return code == ERR_REFUSED || code == ERR_INVALID_OPERATION || code == ERR_INVALID_VALUE ||
	       code == ERR_VALUE_NOT_SET || code == ERR_NOT_IMPLEMENTED;
}

/* Looks what became of an order to move that stayed out.  When a halt has overtaken it, the motor is halted again as
 * soon as the order is answered, since the other server may have taken the order after the halt. */
static enum err_code settle_late(struct alpaca_focuser *f, int64_t until_ms, struct err *err)
{
	if (!alpaca_http_is_late(f->client.http)) {
		return ERR_OK;
	}
	bool came = false;
	struct err why = {0};
	enum err_code code = alpaca_client_late(&f->client, until_ms, &came, &why);
	if (code == ERR_CANCELLED) {
		return err_copy(err, &why);
	}
	if (came && f->count != NULL && device_complains(code)) {
		atomic_store(&f->count->doubtful, false);
	}
	f->arrives = came && code == ERR_OK && !f->halt_owed;
	if (came && f->halt_owed) {
		f->halt_owed = false;
		log_warn(f->client.host->source, "the order to move was answered after the halt: halted again");
		return alpaca_put(&f->client, ALPACA_STOP, "halt", "", real_ms() + HALT_MS, err);
	}
	if (came && code != ERR_OK) {
		f->sent = false;
		log_warn(f->client.host->source, "the order to move that was late has failed: %s", why.text);
	}
	return ERR_OK;
}

static enum err_code require_link(const struct alpaca_focuser *f, struct err *err)
{
	return f->client.linked ? ERR_OK : err_set(err, ERR_NOT_CONNECTED, "not connected to the other server");
}

static enum err_code order(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	char fields[40];
	int32_t number = f->target - (f->count != NULL ? atomic_load(&f->count->position) : 0);
	f->halt_owed = false;
	f->sent = f->count == NULL || number != 0;
	if (!f->sent) {
		return ERR_OK;
	}
	snprintf(fields, sizeof fields, "Position=%d", (int)number);
	bool doubtful = f->count != NULL && atomic_exchange(&f->count->doubtful, true);
	enum err_code code = alpaca_put(&f->client, ALPACA_ORDER, "move", fields, deadline_ms, err);
	bool unknown = code == ERR_IO || code == ERR_PROTOCOL || alpaca_http_is_late(f->client.http);
	f->arrives = code == ERR_OK;
	if (f->count != NULL && code != ERR_OK && !unknown) {
		/* It was refused, or never sent. */
		atomic_store(&f->count->doubtful, doubtful);
		f->sent = false;
	}
	return code;
}

/* Some focusers take no new target while they move: they are halted first. */
static enum err_code halt_then_order(struct alpaca_focuser *f, int64_t deadline_ms, struct err *err)
{
	bool moving = true;
	enum err_code code = alpaca_put(&f->client, ALPACA_STOP, "halt", "", deadline_ms, err);
	while (code == ERR_OK && moving) {
		code = alpaca_get_bool(&f->client, "ismoving", deadline_ms, &moving, err);
		if (code == ERR_OK && moving) {
			code = alpaca_http_pause(f->client.http, sooner(real_ms() + 20, deadline_ms), err);
		}
	}
	return code == ERR_OK ? order(f, deadline_ms, err) : code;
}

static enum err_code focuser_start_move(void *ctx, int32_t target, struct err *err)
{
	struct alpaca_focuser *f = ctx;
	int64_t deadline_ms = real_ms() + CALL_MS;
	enum err_code code = require_link(f, err);
	if (code != ERR_OK) {
		return code;
	}
	bool same = f->sent && f->target == target && alpaca_http_is_late(f->client.http);
	code = settle_late(f, deadline_ms, err);
	if (code != ERR_OK) {
		return code;
	}
	if (alpaca_http_is_late(f->client.http)) {
		return err_set(err, ERR_TIMEOUT, "%s has not answered the order to move to %d",
			alpaca_http_name(f->client.http), (int)f->target);
	}
	if (same && f->sent) {
		/* It was this order, and it has been taken. */
		return ERR_OK;
	}
	bool moved = f->sent;
	if (f->count != NULL && moved) {
		return err_set(err, ERR_INVALID_OPERATION, "%s takes no new target before its focuser rests: it counts "
			"from where that is", alpaca_http_name(f->client.http));
	}
	f->target = target;
	code = order(f, deadline_ms, err);
	if (code == ERR_INVALID_OPERATION && moved) {
		code = halt_then_order(f, deadline_ms, err);
	}
	return code;
}

static enum err_code focuser_halt(void *ctx, struct err *err)
{
	struct alpaca_focuser *f = ctx;
	enum err_code code = require_link(f, err);
	if (code != ERR_OK) {
		return code;
	}
	f->halt_owed = alpaca_http_is_late(f->client.http);
	f->arrives = false;
	code = alpaca_put(&f->client, ALPACA_STOP, "halt", "", real_ms() + HALT_MS, err);
	if (code == ERR_NOT_IMPLEMENTED) {
		return err_set(err, ERR_REFUSED, "focuser %d of %s cannot be halted: it has no Halt", f->client.number,
			alpaca_http_name(f->client.http));
	}
	return code;
}

/* Whether it moves is asked before where it is, so that a position that comes with "at rest" is the final one. */
static enum err_code poll_motion(struct alpaca_focuser *f, int64_t deadline_ms, struct focuser_reading *out,
	struct err *err)
{
	struct err why;
	enum err_code code = alpaca_get_bool(&f->client, "ismoving", deadline_ms, &out->moving, &why);
	if (code != ERR_OK && !device_complains(code)) {
		return err_copy(err, &why);
	}
	out->moving_valid = true;
	if (code != ERR_OK) {
		/* The standard tells a motion that has failed by an error of this member. */
		out->moving = false;
		out->motion_failed = f->sent;
		out->failure = why;
	}
	if (f->count != NULL) {
		/* An order that has no answer yet may be moving it. */
		out->moving = out->moving || alpaca_http_is_late(f->client.http);
		alpaca_count_read(f->count, &f->sent, f->arrives, f->target, out);
		return ERR_OK;
	}
	enum err_code where = alpaca_get_int(&f->client, "position", deadline_ms, &out->position, err);
	out->position_valid = where == ERR_OK;
	f->sent = f->sent && out->moving;
	return out->motion_failed && device_complains(where) ? ERR_OK : where;
}

/* A sensor that is silent does not fail the motion. */
static enum err_code poll_temperature(struct alpaca_focuser *f, int64_t deadline_ms, struct focuser_reading *out,
	struct err *err)
{
	struct err why;
	double celsius;
	enum err_code code = alpaca_get_double(&f->client, "temperature",
		sooner(real_ms() + TEMPERATURE_MS, deadline_ms), &celsius, &why);
	if (code == ERR_OK) {
		out->temperature_valid = true;
		out->temperature_c = celsius;
	}
	return code == ERR_IO || code == ERR_CANCELLED ? err_copy(err, &why) : ERR_OK;
}

static enum err_code focuser_poll(void *ctx, unsigned want, struct focuser_reading *out, struct err *err)
{
	struct alpaca_focuser *f = ctx;
	struct focuser_reading reading = {0};
	int64_t deadline_ms = real_ms() + CALL_MS;
	enum err_code code = require_link(f, err);
	if (code == ERR_OK) {
		code = settle_late(f, 0, err);
	}
	if (code == ERR_OK && (want & FOCUSER_WANT_MOTION)) {
		code = poll_motion(f, deadline_ms, &reading, err);
	}
	if (code == ERR_OK && f->celsius_known) {
		/* Clients ask once, right after they have connected, so it is told with the first reading. */
		reading.temperature_valid = true;
		reading.temperature_c = f->celsius;
		f->celsius_known = false;
	} else if (code == ERR_OK && (want & FOCUSER_WANT_TEMPERATURE) && f->caps.has_temperature) {
		code = poll_temperature(f, deadline_ms, &reading, err);
	}
	if (code == ERR_OK) {
		*out = reading;
	}
	return code;
}

static enum err_code focuser_set_tempcomp(void *ctx, bool on, struct err *err)
{
	struct alpaca_focuser *f = ctx;
	enum err_code code = require_link(f, err);
	return code != ERR_OK ? code
			      : alpaca_put(&f->client, ALPACA_ASK, "tempcomp", on ? "TempComp=True" : "TempComp=False",
					real_ms() + CALL_MS, err);
}

/* Only a focuser that does not know where it stands can be told. */
static enum err_code focuser_set_position(void *ctx, int32_t position, struct err *err)
{
	const struct alpaca_focuser *f = ctx;
	if (f->count == NULL) {
		return err_set(err, ERR_NOT_IMPLEMENTED, "the other server's focuser counts by itself");
	}
	atomic_store(&f->count->position, position);
	atomic_store(&f->count->doubtful, false);
	return ERR_OK;
}

static int focuser_open_wait_for(const struct focuser_port *port)
{
	(void)port;
	return 0;
}

const struct focuser_driver alpaca_driver = {
	.name = "alpaca",
	.title = "Focuser of another Alpaca server",
	.ctx_size = sizeof(struct alpaca_focuser),
	.uses_port = true,
	.uses_device = true,
	.behind_server = true,
	.read_port = alpaca_place_check,
	.poll_moving_ms = 200,
	.poll_idle_ms = 1000,
	.poll_temperature_ms = 5000,
	.first_poll_ms = 50,
	.speed_floor_steps_per_s = 10,
	.open_wait_for = focuser_open_wait_for,
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.start_move = focuser_start_move,
	.halt = focuser_halt,
	.poll = focuser_poll,
	.set_position = focuser_set_position,
	.set_tempcomp = focuser_set_tempcomp,
};
