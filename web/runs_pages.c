/* SPDX-License-Identifier: MIT */
/* The history of runs: /focusd/v1/runs and /focusd/v1/runs/ID. */
#include <inttypes.h>
#include <string.h>

#include "log.h"
#include "web_private.h"

#define DEFAULT_LIMIT 50
#define MAX_LIMIT 1000

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
	web_body(res, "application/json", 4 * 1024 * 1024);
	struct err err = {0};
	if (runs_list_json(web->served->runs, (int)limit, &res->body, &err) != ERR_OK) {
		buf_fini(&res->body);
		log_warn("web", "the history of runs cannot be read: %s", err.text);
		http_text(res, 500, "The history of runs cannot be read: %s", err.text);
		return HTTP_DONE;
	}
	web_check_body(res);
	return HTTP_DONE;
}

/* The run from memory while it goes on, else from the store. */
static struct run *find_run(struct web *web, uint64_t id, struct err *err)
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
	return runs_load(web->served->runs, id, err);
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
		http_text(res, 400, "format must be json, csv or nina.");
		return HTTP_DONE;
	}
	struct err err = {0};
	struct run *run = find_run(web, id, &err);
	if (run == NULL && err.code == ERR_INVALID_VALUE) {
		http_text(res, 404, "There is no run %" PRIu64 ".", id);
		return HTTP_DONE;
	}
	if (run == NULL) {
		http_text(res, 500, "Run %" PRIu64 " cannot be read: %s", id, err.text);
		return HTTP_DONE;
	}
	web_body(res, formats[f].content_type, 1024 * 1024);
	formats[f].print(run, &res->body);
	run_free(run);
	web_check_body(res);
	return HTTP_DONE;
}
