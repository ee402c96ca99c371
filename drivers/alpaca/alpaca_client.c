/* SPDX-License-Identifier: MIT */
#include "alpaca_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alpaca_find.h"
#include "borrowers.h"
#include "log.h"
#include "moment.h"

/* Requests of sibling devices that may be on their way while one is counted. */
#define CENSUS_SKEW 4
/* A client that was heard of within this is still there: as for clients of our own (docs: focusd.conf(5)). */
#define FOREIGN_MS 600000
/* A device that connects is asked this often whether it has. */
#define CONNECT_LOOK_MS 25
/* Letting go takes no longer than this, even when nobody answers. */
#define CLOSE_MS 900
/* Room for the name of a question. */
#define WHAT 400
/* From this interface version on a device connects without being waited for (ASCOM Platform 7). */
#define CONNECTS_ASIDE 4

/* Who we are at the other server: the same after every start, so that it does not take us for a new client each time.
 * The hash is FNV-1a, 32 bit (Fowler, Noll, Vo), of host name and device. */
static uint32_t client_id(const char *source)
{
	char name[300];
	char host[200] = "";
	(void)gethostname(host, sizeof host - 1);
	snprintf(name, sizeof name, "focusd %s %s", host, source);
	uint32_t hash = 2166136261u;
	for (const char *p = name; *p != '\0'; p++) {
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	}
	/* Some servers keep a client's number in a signed one, so its highest bit stays 0. */
	return (hash & 0x7FFFFFFF) | 1;
}

enum err_code alpaca_client_open(struct alpaca_client *c, const char *type, const char *port, const char *device,
	const struct driver_host *host, struct err *err)
{
	*c = (struct alpaca_client){.host = host, .type = type, .number = -1};
	c->client_id = client_id(host->source);
	return alpaca_place_read(port, device, &c->place, err);
}

void alpaca_client_path(const struct alpaca_client *c, const char *member, char *out, size_t cap)
{
	snprintf(out, cap, "/api/v1/%s/%d/%s", c->type, c->number, member);
}

void alpaca_client_ids(struct alpaca_client *c, char *out, size_t cap)
{
	c->transaction = c->transaction == INT32_MAX ? 1 : c->transaction + 1;
	snprintf(out, cap, "ClientID=%u&ClientTransactionID=%u", (unsigned)c->client_id, (unsigned)c->transaction);
	if (c->census.sent != NULL) {
		atomic_fetch_add(c->census.sent, 1);
	}
}

void alpaca_client_heard(struct alpaca_client *c, uint32_t server_id)
{
	struct alpaca_census *census = &c->census;
	if (server_id == 0 || census->sent == NULL) {
		census->uncounted = true;
		return;
	}
	/* A request that got lost makes the difference smaller, one of somebody else makes it larger. */
	int32_t ahead = (int32_t)(server_id - atomic_load(census->sent));
	if (!census->begun || ahead < census->lowest) {
		census->begun = true;
		census->lowest = ahead;
	} else if (ahead > census->lowest + CENSUS_SKEW) {
		census->lowest = ahead;
		census->foreign_ms = real_ms();
	}
}

/* "focuser/0/position of 192.168.1.20:11111", for sentences. */
static void name_question(const struct alpaca_client *c, const char *member, char out[WHAT])
{
	snprintf(out, WHAT, "%s/%d/%s of %s", c->type, c->number, member, alpaca_http_name(c->http));
}

/* Takes an answer apart, and says ERR_IO for a device that the other server has lost or let go. */
static enum err_code read_answer(struct alpaca_client *c, const char *member, const struct alpaca_response *response,
	struct alpaca_answer *out, struct err *err)
{
	char what[WHAT];
	name_question(c, member, what);
	enum err_code code = alpaca_answer_read(response->status, response->body, what, out, err);
	alpaca_client_heard(c, out->server_id);
	if (code == ERR_NOT_CONNECTED && c->linked) {
		return err_set(err, ERR_IO, "%s %d of %s is not connected any more: its server or another client "
			"let it go", c->type, c->number, alpaca_http_name(c->http));
	}
	return code;
}

static enum err_code call(struct alpaca_client *c, struct alpaca_request *request, const char *member,
	const char *fields, struct alpaca_answer *out, struct err *err)
{
	char path[160], ids[80], all[400], header[2 * BORROWERS_ROOM];
	*out = (struct alpaca_answer){.json = NULL};
	if (c->http == NULL) {
		return err_set(err, ERR_NOT_CONNECTED, "the other server has not been found");
	}
	alpaca_client_path(c, member, path, sizeof path);
	alpaca_client_ids(c, ids, sizeof ids);
	snprintf(all, sizeof all, "%s%s%s", fields, fields[0] != '\0' ? "&" : "", ids);
	request->path = path;
	request->fields = all;
	if (request->lane == ALPACA_ORDER && !c->linked && c->host->borrowers != NULL) {
		/* An order before the link is up is one to connect. */
		int n = snprintf(header, sizeof header, BORROWERS_HEADER ": ");
		c->host->borrowers(c->host->ours_ctx, header + n, sizeof header - (size_t)n);
		request->header = header;
	}
	struct alpaca_response response;
	enum err_code code = alpaca_http_call(c->http, request, &response, err);
	c->gone = code == ERR_IO || code == ERR_TIMEOUT;
	return code == ERR_OK ? read_answer(c, member, &response, out, err) : code;
}

enum err_code alpaca_get(struct alpaca_client *c, const char *member, int64_t deadline_ms, struct alpaca_answer *out,
	struct err *err)
{
	struct alpaca_request request = {.lane = ALPACA_ASK, .deadline_ms = deadline_ms};
	return call(c, &request, member, "", out, err);
}

/* Asks for a member; `what` then names the question, for the sentence about a value of another type. */
static enum err_code ask(struct alpaca_client *c, const char *member, int64_t deadline_ms, struct alpaca_answer *out,
	char what[WHAT], struct err *err)
{
	enum err_code code = alpaca_get(c, member, deadline_ms, out, err);
	if (code == ERR_OK) {
		name_question(c, member, what);
	}
	return code;
}

enum err_code alpaca_get_bool(struct alpaca_client *c, const char *member, int64_t deadline_ms, bool *out,
	struct err *err)
{
	struct alpaca_answer answer;
	char what[WHAT];
	enum err_code code = ask(c, member, deadline_ms, &answer, what, err);
	code = code == ERR_OK ? alpaca_answer_bool(&answer, what, out, err) : code;
	alpaca_answer_fini(&answer);
	return code;
}

enum err_code alpaca_get_int(struct alpaca_client *c, const char *member, int64_t deadline_ms, int32_t *out,
	struct err *err)
{
	struct alpaca_answer answer;
	char what[WHAT];
	enum err_code code = ask(c, member, deadline_ms, &answer, what, err);
	code = code == ERR_OK ? alpaca_answer_int(&answer, what, out, err) : code;
	alpaca_answer_fini(&answer);
	return code;
}

enum err_code alpaca_get_double(struct alpaca_client *c, const char *member, int64_t deadline_ms, double *out,
	struct err *err)
{
	struct alpaca_answer answer;
	char what[WHAT];
	enum err_code code = ask(c, member, deadline_ms, &answer, what, err);
	code = code == ERR_OK ? alpaca_answer_double(&answer, what, out, err) : code;
	alpaca_answer_fini(&answer);
	return code;
}

enum err_code alpaca_put(struct alpaca_client *c, enum alpaca_lane lane, const char *member, const char *fields,
	int64_t deadline_ms, struct err *err)
{
	struct alpaca_request request = {
		.lane = lane, .put = true, .deadline_ms = deadline_ms, .patient = lane == ALPACA_ASK};
	struct alpaca_answer answer;
	enum err_code code = call(c, &request, member, fields, &answer, err);
	alpaca_answer_fini(&answer);
	return code;
}

enum err_code alpaca_client_late(struct alpaca_client *c, int64_t deadline_ms, bool *came, struct err *err)
{
	struct alpaca_response response;
	struct alpaca_answer answer = {.json = NULL};
	enum err_code code = alpaca_http_late(c->http, deadline_ms, false, &response, err);
	*came = !alpaca_http_is_late(c->http);
	if (code == ERR_OK && response.came) {
		code = read_answer(c, "order", &response, &answer, err);
	}
	alpaca_answer_fini(&answer);
	return code;
}

/* ---- connecting ---- */

/* A device that does not say which interface it has is an old one.  The question goes out on the lane of halts, so that
 * their connection is there when the first halt needs it, whatever keeps the server from taking new ones then. */
static enum err_code ask_version(struct alpaca_client *c, int64_t deadline_ms, struct err *err)
{
	int32_t version = 0;
	if (c->interface_version > 0) {
		return ERR_OK;
	}
	struct err why;
	struct alpaca_answer answer;
	struct alpaca_request request = {.lane = ALPACA_STOP, .deadline_ms = deadline_ms};
	enum err_code code = call(c, &request, "interfaceversion", "", &answer, &why);
	code = code == ERR_OK ? alpaca_answer_int(&answer, "interfaceversion", &version, &why) : code;
	alpaca_answer_fini(&answer);
	if (code == ERR_IO || code == ERR_TIMEOUT || code == ERR_CANCELLED) {
		return err_copy(err, &why);
	}
	c->interface_version = code == ERR_OK && version > 0 ? version : 1;
	return ERR_OK;
}

static enum err_code tell_to_connect(struct alpaca_client *c, int64_t deadline_ms, struct err *err)
{
	enum err_code code = ERR_NOT_IMPLEMENTED;
	if (c->interface_version >= CONNECTS_ASIDE) {
		code = alpaca_put(c, ALPACA_ORDER, "connect", "", deadline_ms, err);
		if (code == ERR_NOT_IMPLEMENTED) {
			/* It says that it has the newer interface and has only half of it. */
			c->interface_version = CONNECTS_ASIDE - 1;
		}
	}
	if (code == ERR_NOT_IMPLEMENTED) {
		code = alpaca_put(c, ALPACA_ORDER, "connected", "Connected=True", deadline_ms, err);
	}
	/* An order that has no answer yet may still connect the device, which the next look will show. */
	c->asked = code == ERR_OK || alpaca_http_is_late(c->http);
	return code;
}

/* Whether the failure is the device's own, and not one of the line. */
static bool is_device_error(enum err_code code)
{
	return code != ERR_OK && code != ERR_IO && code != ERR_TIMEOUT && code != ERR_CANCELLED &&
	       code != ERR_PROTOCOL && code != ERR_NOMEM;
}

/* Looks once: *connected, *busy says that waiting makes sense.  An error is why it failed to connect. */
static enum err_code look(struct alpaca_client *c, int64_t deadline_ms, bool *connected, bool *busy, struct err *err)
{
	bool came = true;
	*busy = false;
	enum err_code code = alpaca_client_late(c, real_ms(), &came, err);
	if (code != ERR_OK) {
		return code;
	}
	*busy = !came;
	code = alpaca_get_bool(c, "connected", deadline_ms, connected, err);
	if (code == ERR_OK && !*connected && c->interface_version >= CONNECTS_ASIDE) {
		bool connecting = false;
		code = alpaca_get_bool(c, "connecting", deadline_ms, &connecting, err);
		if (code == ERR_NOT_IMPLEMENTED) {
			c->interface_version = CONNECTS_ASIDE - 1;
			code = ERR_OK;
		}
		*busy = *busy || connecting;
	}
	return code;
}

static enum err_code have_connected(struct alpaca_client *c, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		bool connected = false, busy = false;
		enum err_code code = look(c, deadline_ms, &connected, &busy, err);
		if (is_device_error(code)) {
			/* It failed to connect, and says why.  The next try tells it again; that it failed before it
			 * was told says nothing. */
			bool told = c->asked;
			c->asked = false;
			code = told ? code : ERR_OK;
		}
		if (code != ERR_OK) {
			return code;
		}
		if (connected) {
			c->linked = true;
			c->ours = c->ours || c->asked;
			return ERR_OK;
		}
		if (!busy && (code = tell_to_connect(c, deadline_ms, err)) != ERR_OK) {
			return code;
		}
		int64_t now = real_ms();
		if (now >= deadline_ms) {
			return err_set(err, ERR_TIMEOUT, "%s %d of %s is still connecting to its hardware", c->type,
				c->number, alpaca_http_name(c->http));
		}
		code = alpaca_http_pause(c->http, sooner(now + CONNECT_LOOK_MS, deadline_ms), err);
		if (code != ERR_OK) {
			return code;
		}
	}
}

/* From here on the requests of all our devices to that server are counted together, those that found it included. */
static void count_requests(struct alpaca_client *c)
{
	char key[64];
	snprintf(key, sizeof key, "alpaca %.50s", alpaca_http_name(c->http));
	if (c->census.sent == NULL && c->host->share != NULL) {
		c->census.sent = c->host->share(c->host->share_ctx, key, sizeof *c->census.sent);
	}
	if (c->census.sent != NULL) {
		atomic_fetch_add(c->census.sent, c->census.before);
	}
}

enum err_code alpaca_client_link(struct alpaca_client *c, int64_t deadline_ms, struct err *err)
{
	enum err_code code = ERR_OK;
	if (c->host == NULL) {
		return err_set(err, ERR_NOT_CONNECTED, "not open");
	}
	if (c->linked) {
		return ERR_OK;
	}
	if (c->number < 0) {
		code = alpaca_find(c, deadline_ms, err);
		if (code == ERR_OK) {
			count_requests(c);
		}
	}
	if (code == ERR_OK && alpaca_is_ours(c, c->unique_id)) {
		/* The server may have been told only after it was found that it borrows from us. */
		code = alpaca_leads_back(c, err);
	}
	if (code == ERR_OK) {
		code = ask_version(c, deadline_ms, err);
	}
	return code == ERR_OK ? have_connected(c, deadline_ms, err) : code;
}

/* ---- letting go ---- */

/* Whether nobody would miss the device's connection to its hardware. */
static bool alone(const struct alpaca_client *c)
{
	const struct alpaca_census *census = &c->census;
	return !census->uncounted && (census->foreign_ms == 0 || real_ms() - census->foreign_ms > FOREIGN_MS);
}

void alpaca_client_close(struct alpaca_client *c)
{
	if (c->http != NULL && c->linked && c->ours && !c->gone) {
		if (alone(c)) {
			struct err ignored;
			bool aside = c->interface_version >= CONNECTS_ASIDE;
			(void)alpaca_put(c, ALPACA_STOP, aside ? "disconnect" : "connected",
				aside ? "" : "Connected=False", real_ms() + CLOSE_MS, &ignored);
		} else {
			log_info(c->host->source, "%s %d of %s stays connected there, because others may use it",
				c->type, c->number, alpaca_http_name(c->http));
		}
	}
	alpaca_http_destroy(c->http);
	*c = (struct alpaca_client){.number = -1};
}
