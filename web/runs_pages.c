/* SPDX-License-Identifier: MIT */
/* The history of runs: /focusd/v1/runs and /focusd/v1/runs/ID.  The store has it, on a thread of its own: each
 * request posts its question, waits suspended, and sends what it then picks up. */
#include <inttypes.h>
#include <string.h>

#include "log.h"
#include "web_private.h"

#define DEFAULT_LIMIT 50
#define MAX_LIMIT 1000

/* Suspends the request until the store has news for its ticket, or its patience ends. */
static enum http_result wait_for(struct http_wait *wait, uint64_t ticket)
{
	wait->ticket[0] = ticket;
	wait->deadline_ms = clock_now_ms(clock_real()) + STORE_PATIENCE_MS;
	return HTTP_WAIT;
}

/* HTTP_DONE with the answer, or with an error when the patience ended; else HTTP_WAIT. */
static enum http_result picked_up(struct web *web, const struct http_wait *wait, struct store_answer *out)
{
	if (store_take(web->served->store, wait->ticket[0], out)) {
		return HTTP_DONE;
	}
	if (clock_now_ms(clock_real()) < wait->deadline_ms) {
		return HTTP_WAIT;
	}
	*out = (struct store_answer){.run = NULL};
	err_set(&out->err, ERR_TIMEOUT, "the disk did not answer in %d s", STORE_PATIENCE_MS / 1000);
	return HTTP_DONE;
}

/* A disk that is slow or held by somebody is worth another try later; a broken one is not. */
static int failed_status(enum err_code code)
{
	return code == ERR_TIMEOUT || code == ERR_NOMEM ? 503 : 500;
}

enum http_result runs_list_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	(void)rest;
	char text[16];
	uint32_t limit = DEFAULT_LIMIT;
	int found = http_field(req->query, "limit", true, text, sizeof text);
	if (found == -2 || (found == 0 && (!text_parse_u32(span_of(text), &limit) || limit < 1 ||
		limit > MAX_LIMIT))) {
		http_text(res, 400, "limit must be a whole number from 1 to %d.", MAX_LIMIT);
		return HTTP_DONE;
	}
	struct http_wait *wait = req->wait;
	if (wait->ticket[0] == 0) {
		struct numbering today[CONFIG_MAX_DEVICES];
		for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
			today[i] = served_numbering(web->served, i);
		}
		return wait_for(wait, store_ask_list(web->served->store, (int)limit, today, CONFIG_MAX_DEVICES));
	}
	struct store_answer answer;
	enum http_result result = picked_up(web, wait, &answer);
	if (result == HTTP_WAIT) {
		return result;
	}
	if (answer.err.code != ERR_OK) {
		if (log_lasting_news(&web->history_failures, answer.err.text)) {
			log_warn("web", "the history of runs cannot be read: %s", answer.err.text);
		}
		http_text(res, failed_status(answer.err.code), "The history of runs cannot be read: %s",
			answer.err.text);
	} else {
		(void)log_lasting_over(&web->history_failures);
		web_body(res, "application/json", answer.text.ceiling);
		res->body = answer.text;
		buf_init(&answer.text, 0);
	}
	store_answer_fini(&answer);
	return HTTP_DONE;
}

/* A run that goes on, from memory; NULL when it does not. */
static struct run *running(struct web *web, uint64_t id)
{
	struct device *dev;
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		struct autofocus *af = served_autofocus(web->served, dev);
		if (af != NULL && autofocus_running(af) == id) {
			struct run *run = autofocus_run(af, id);
			if (run != NULL) {
				return run;
			}
		}
	}
	return NULL;
}

static bool parse_id(const char *text, uint64_t *id, const char **end)
{
	uint64_t value = 0;
	const char *p = text;
	while (*p >= '0' && *p <= '9' && p - text < 18) {
		value = value * 10 + (uint64_t)(*p++ - '0');
	}
	*id = value;
	*end = p;
	return value > 0;
}

enum http_result runs_one_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	uint64_t id;
	const char *end;
	if (!parse_id(rest, &id, &end) || (*end != '\0' && strcmp(end, "/cutouts.jpg") != 0)) {
		http_text(res, 404, "A run is at /focusd/v1/runs/ID with the number of the run.");
		return HTTP_DONE;
	}
	if (*end != '\0') {
		http_text(res, 404, "Star cutouts of run %" PRIu64 " are not kept.", id);
		return HTTP_DONE;
	}
	static const struct {
		const char *name;
		const char *content_type;
		void (*print)(const struct run *run, struct buf *out);
	} formats[] = {
		{"json", "application/json", run_json},
		{"csv", "text/csv; charset=utf-8", run_csv},
		{"text", "text/plain; charset=utf-8", run_text},
		{"nina", "application/json", run_nina},
	};
	char format[8] = "json";
	size_t f = 0;
	if (http_field(req->query, "format", true, format, sizeof format) == -2) {
		format[0] = '\0';
	}
	while (f < sizeof formats / sizeof formats[0] && strcmp(formats[f].name, format) != 0) {
		f++;
	}
	if (f == sizeof formats / sizeof formats[0]) {
		http_text(res, 400, "format must be json, csv, text or nina.");
		return HTTP_DONE;
	}
	struct http_wait *wait = req->wait;
	struct store_answer answer = {.run = NULL};
	if (wait->ticket[0] == 0) {
		answer.run = running(web, id);
		if (answer.run == NULL) {
			return wait_for(wait, store_ask_run(web->served->store, id));
		}
	} else if (picked_up(web, wait, &answer) == HTTP_WAIT) {
		return HTTP_WAIT;
	}
	if (answer.err.code == ERR_INVALID_VALUE) {
		http_text(res, 404, "There is no run %" PRIu64 ".", id);
	} else if (answer.err.code != ERR_OK) {
		http_text(res, failed_status(answer.err.code), "Run %" PRIu64 " cannot be read: %s", id,
			answer.err.text);
	} else {
		struct numbering today = served_numbering(web->served, answer.run->focuser);
		run_renumber(answer.run, &today);
		web_body(res, formats[f].content_type, 1024 * 1024);
		formats[f].print(answer.run, &res->body);
		web_check_body(res);
	}
	store_answer_fini(&answer);
	return HTTP_DONE;
}
