/* SPDX-License-Identifier: MIT */
#include "alpaca_find.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "alpaca_client.h"
#include "alpaca_search.h"
#include "log.h"
#include "moment.h"

/* The server that was named is given so long before its device is looked for elsewhere. */
#define NAMED_MS 500
/* A server that answered a search is asked at once, and given so long. */
#define ASKED_MS 300
/* A server's list is looked at no further than this: nobody has so many devices. */
#define LIST_MAX 500

/* A server answers a search at each of its addresses: so many of its devices are known again by their ids. */
enum { IDS = 8 };

/* What was found so far. */
struct finds {
	int count;               /* devices that fit */
	struct alpaca_http *http; /* of the first one's server */
	int number;
	char name[96], unique_id[96];
	char ids[IDS][96];       /* of the first ones that fit */
	bool ours;               /* one that fits is this very server's */
	char names[140];         /* of all, for people */
};

static void list_name(struct finds *finds, const struct alpaca_http *http, const struct alpaca_listed *listed)
{
	size_t len = strlen(finds->names);
	char clean[40];
	text_copy_clean(clean, sizeof clean, listed->name);
	snprintf(finds->names + len, sizeof finds->names - len, "%s%s/%d (%s)", len > 0 ? ", " : "",
		alpaca_http_name(http), (int)listed->number, clean);
}

static bool fits(const struct alpaca_client *c, const struct alpaca_listed *listed)
{
	if (listed->number < 0 || strcasecmp(listed->type, c->type) != 0) {
		return false;
	}
	if (c->place.unique_id[0] != '\0') {
		return strcasecmp(listed->unique_id, c->place.unique_id) == 0;
	}
	return c->place.number < 0 || listed->number == c->place.number;
}

bool alpaca_is_ours(const struct alpaca_client *c, const char *unique_id)
{
	return c->host->is_ours != NULL && unique_id[0] != '\0' && c->host->is_ours(c->host->ours_ctx, unique_id);
}

static bool is_known(const struct finds *finds, const char *unique_id)
{
	bool known = false;
	for (int i = 0; i < finds->count && i < IDS; i++) {
		known = known || (unique_id[0] != '\0' && strcmp(finds->ids[i], unique_id) == 0);
	}
	return known;
}

enum err_code alpaca_leads_back(const struct alpaca_client *c, struct err *err)
{
	return err_set(err, ERR_INVALID_OPERATION, "port leads back to this very focusd, by itself or through another "
		"server that borrows from it: a %s of its own cannot be its %s", c->type, c->type);
}

/* Takes what fits from a server's list.  True when http was kept. */
static bool take_list(struct alpaca_client *c, struct alpaca_http *http, const struct alpaca_answer *answer,
	struct finds *finds)
{
	struct alpaca_listed listed;
	bool kept = false;
	for (int i = 0; i < LIST_MAX && alpaca_answer_device(answer, i, &listed); i++) {
		if (!fits(c, &listed)) {
			continue;
		}
		if (alpaca_is_ours(c, listed.unique_id)) {
			finds->ours = true;
			continue;
		}
		char id[sizeof finds->unique_id];
		text_copy_clean(id, sizeof id, listed.unique_id);
		if (is_known(finds, id)) {
			continue;
		}
		list_name(finds, http, &listed);
		if (finds->count < IDS) {
			memcpy(finds->ids[finds->count], id, sizeof id);
		}
		if (finds->count++ == 0) {
			kept = true;
			finds->http = http;
			finds->number = listed.number;
			text_copy_clean(finds->name, sizeof finds->name, listed.name);
			memcpy(finds->unique_id, id, sizeof id);
		}
	}
	return kept;
}

/* Asks one server for its list.  A server that has none is taken at its word when the number is given. */
static enum err_code ask_server(struct alpaca_client *c, const char *server, int port, bool named, int64_t deadline_ms,
	struct finds *finds, struct err *err)
{
	struct alpaca_http *http;
	enum err_code code = alpaca_http_create(server, port, c->host, &http, err);
	if (code != ERR_OK) {
		return code;
	}
	struct alpaca_request request = {
		.lane = ALPACA_ASK,
		.path = "/management/v1/configureddevices",
		.fields = "",
		.deadline_ms = deadline_ms,
	};
	struct alpaca_response response;
	struct alpaca_answer answer = {.json = NULL};
	c->census.before++;
	code = alpaca_http_call(http, &request, &response, err);
	if (code == ERR_OK) {
		code = alpaca_answer_read(response.status, response.body, alpaca_http_name(http), &answer, err);
	}
	bool kept = code == ERR_OK && take_list(c, http, &answer, finds);
	if (code == ERR_NOT_IMPLEMENTED && named && c->place.number >= 0 && c->place.unique_id[0] == '\0') {
		*finds = (struct finds){.count = 1, .http = http, .number = c->place.number};
		kept = true;
		code = ERR_OK;
	}
	alpaca_answer_fini(&answer);
	if (!kept) {
		alpaca_http_destroy(http);
	}
	return code;
}

/* Searches the network; a device known by its UniqueID ends the search. */
static enum err_code search(struct alpaca_client *c, int64_t deadline_ms, struct finds *finds, struct err *err)
{
	struct alpaca_search *search;
	enum err_code code = alpaca_search_begin(c->place.discovery_port, c->host, &search, err);
	if (code != ERR_OK) {
		return code;
	}
	struct alpaca_found found;
	while ((code = alpaca_search_next(search, deadline_ms - ASKED_MS, &found, err)) == ERR_OK && found.port > 0) {
		struct err why;
		code = ask_server(c, found.server, found.port, false, sooner(real_ms() + ASKED_MS, deadline_ms), finds,
			&why);
		if (code == ERR_CANCELLED) {
			code = err_copy(err, &why);
			break;
		}
		if (code != ERR_OK) {
			log_debug(c->host->source, "search: %s", why.text);
		}
		if (finds->count > 0 && c->place.unique_id[0] != '\0') {
			code = ERR_OK;
			break;
		}
	}
	alpaca_search_end(search);
	return code;
}

/* Says what the finds mean. */
static enum err_code judge(const struct alpaca_client *c, const struct finds *finds, struct err *err)
{
	const struct alpaca_place *place = &c->place;
	if (finds->count == 1) {
		return ERR_OK;
	}
	if (finds->count > 1) {
		return err_set(err, ERR_INVALID_VALUE, "there are %d %ss, choose one by port or device: %s",
			finds->count, c->type, finds->names);
	}
	if (finds->ours) {
		return alpaca_leads_back(c, err);
	}
	if (place->unique_id[0] != '\0') {
		return err_set(err, ERR_TIMEOUT, "no server that answers has the %s %.80s", c->type, place->unique_id);
	}
	if (place->search) {
		return err_set(err, ERR_TIMEOUT, "no Alpaca server in this network offers a %s%s", c->type,
			place->number >= 0 ? " of that number" : "");
	}
	return err_set(err, ERR_INVALID_VALUE, "%s:%d has no %s%s", place->host, place->port, c->type,
		place->number >= 0 ? " of that number" : "");
}

enum err_code alpaca_find(struct alpaca_client *c, int64_t deadline_ms, struct err *err)
{
	const struct alpaca_place *place = &c->place;
	struct finds finds = {.count = 0};
	enum err_code code = ERR_OK;
	if (!place->search) {
		bool elsewhere = place->unique_id[0] != '\0';
		code = ask_server(c, place->host, place->port, true,
			elsewhere ? sooner(real_ms() + NAMED_MS, deadline_ms) : deadline_ms, &finds, err);
		if (code == ERR_CANCELLED || (code != ERR_OK && !elsewhere)) {
			return code;
		}
	}
	if (place->search || (finds.count == 0 && place->unique_id[0] != '\0' && !finds.ours)) {
		code = search(c, deadline_ms, &finds, err);
	}
	if (code == ERR_OK) {
		code = judge(c, &finds, err);
	}
	if (code != ERR_OK) {
		alpaca_http_destroy(finds.http);
		return code;
	}
	c->http = finds.http;
	c->number = finds.number;
	memcpy(c->name, finds.name, sizeof c->name);
	memcpy(c->unique_id, finds.unique_id, sizeof c->unique_id);
	log_info(c->host->source, "found %s/%d%s%s%s%s", alpaca_http_name(c->http), c->number,
		c->name[0] != '\0' ? ", " : "", c->name,
		c->unique_id[0] != '\0' ? "; found again at any address by device = " : "", c->unique_id);
	return ERR_OK;
}
