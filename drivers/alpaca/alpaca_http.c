/* SPDX-License-Identifier: MIT */
#include "alpaca_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alpaca_curl.h"
#include "moment.h"

/* How often a waiting call looks whether something is urgent, where the host has no descriptor that says it. */
#define SLICE_MS 20
/* What the library reads at a time: large enough that frames come at the speed of the line. */
#define READ_BYTES (512L * 1024)

/* An order that stayed out is given up after this: the server that will not answer any more has lost it. */
#define ORDER_PATIENCE_MS 20000
/* A connection is waited for so long at the most. */
#define CONNECT_MS 5000

struct lane {
	CURL *easy;
	CURLM *multi;             /* the stop lane has its own, and with it its own connections */
	struct curl_slist *headers;
	struct buf body;
	const struct alpaca_sink *sinks, *sunk; /* those of the request, and the one that takes the answer */
	bool out;                 /* a request is under way */
	bool over;                /* it has ended with result */
	bool type_known;
	bool too_much;
	CURLcode result;
	struct err sink_err;      /* what the sink said */
	int64_t heard_ms;         /* when the last byte came */
	int64_t sent_ms;
	char why[CURL_ERROR_SIZE];
};

struct alpaca_http {
	const struct driver_host *host;
	char url[256];            /* "http://host:port" */
	char name[220];           /* "host:port", for people */
	struct lane lane[ALPACA_LANES];
	CURLM *multi[2];
};

static bool urgent(const struct alpaca_http *http)
{
	return http->host->urgent != NULL && http->host->urgent(http->host->urgent_ctx);
}

static void note(const struct alpaca_http *http, char kind, const void *data, size_t size)
{
	if (http->host->note != NULL && size > 0) {
		http->host->note(http->host->note_ctx, kind, data, size);
	}
}

/* Finds the sink that takes the answer, whose headers have come. */
static void look_at_type(struct lane *lane)
{
	const char *type = NULL;
	if (lane->sinks == NULL || lane->type_known) {
		return;
	}
	lane->type_known = true;
	(void)curl.easy_getinfo(lane->easy, CURLINFO_CONTENT_TYPE, &type);
	for (const struct alpaca_sink *s = lane->sinks; type != NULL && s->content_type != NULL; s++) {
		if (strncasecmp(type, s->content_type, strlen(s->content_type)) == 0) {
			lane->sunk = s;
			return;
		}
	}
}

static size_t take_body(char *data, size_t one, size_t count, void *arg)
{
	struct lane *lane = arg;
	size_t size = one * count;
	lane->heard_ms = real_ms();
	look_at_type(lane);
	if (lane->sunk != NULL) {
		return lane->sunk->take(lane->sunk->ctx, data, size, &lane->sink_err) ? size : 0;
	}
	buf_add(&lane->body, data, size);
	lane->too_much = lane->body.failed;
	return lane->body.failed ? 0 : size;
}

static bool lane_init(struct lane *lane, CURLM *multi)
{
	lane->multi = multi;
	lane->easy = curl.easy_init();
	buf_init(&lane->body, ALPACA_ANSWER_MAX);
	if (lane->easy == NULL) {
		return false;
	}
	CURL *easy = lane->easy;
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->why);
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl.easy_setopt(easy, CURLOPT_PROXY, "");
	curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl.easy_setopt(easy, CURLOPT_USERAGENT, "focusd/" FOCUSD_VERSION);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, lane);
	curl.easy_setopt(easy, CURLOPT_PRIVATE, lane);
	/* A look-up that is given up is left to end by itself; else the library would wait for the name server. */
	curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	return true;
}

enum err_code alpaca_http_create(const char *server, int port, const struct driver_host *host,
	struct alpaca_http **out, struct err *err)
{
	enum err_code code = alpaca_curl_load(err);
	if (code != ERR_OK) {
		return code;
	}
	struct alpaca_http *http = calloc(1, sizeof *http);
	if (http == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for requests to %s", server);
	}
	http->host = host;
	bool v6 = strchr(server, ':') != NULL;
	snprintf(http->name, sizeof http->name, "%s%.200s%s:%d", v6 ? "[" : "", server, v6 ? "]" : "", port);
	snprintf(http->url, sizeof http->url, "http://%s", http->name);
	http->multi[0] = curl.multi_init();
	http->multi[1] = curl.multi_init();
	bool fine = http->multi[0] != NULL && http->multi[1] != NULL;
	for (int i = 0; fine && i < ALPACA_LANES; i++) {
		fine = lane_init(&http->lane[i], http->multi[i == ALPACA_STOP ? 1 : 0]);
	}
	if (!fine) {
		alpaca_http_destroy(http);
		return err_set(err, ERR_NOMEM, "no memory for requests to %s", server);
	}
	curl.easy_setopt(http->lane[ALPACA_ASK].easy, CURLOPT_BUFFERSIZE, READ_BYTES);
	/* On a connection that was used before, the library sends again what the other server did not take.  An order
	 * must not go out after a halt that overtook it, so each gets a connection of its own. */
	curl.easy_setopt(http->lane[ALPACA_ORDER].easy, CURLOPT_FRESH_CONNECT, 1L);
	*out = http;
	return ERR_OK;
}

/* Takes a lane's request back, finished or not; an unfinished one loses its connection. */
static void withdraw(struct lane *lane)
{
	if (lane->out) {
		curl.multi_remove_handle(lane->multi, lane->easy);
		lane->out = false;
	}
	curl.slist_free_all(lane->headers);
	lane->headers = NULL;
	lane->sinks = lane->sunk = NULL;
}

void alpaca_http_destroy(struct alpaca_http *http)
{
	if (http == NULL) {
		return;
	}
	for (int i = 0; i < ALPACA_LANES; i++) {
		struct lane *lane = &http->lane[i];
		withdraw(lane);
		curl.easy_cleanup(lane->easy);
		buf_fini(&lane->body);
	}
	curl.multi_cleanup(http->multi[0]);
	curl.multi_cleanup(http->multi[1]);
	free(http);
}

static bool add_header(struct lane *lane, const char *line)
{
	struct curl_slist *longer = curl.slist_append(lane->headers, line);
	lane->headers = longer != NULL ? longer : lane->headers;
	return longer != NULL;
}

static bool dress(struct alpaca_http *http, struct lane *lane, const struct alpaca_request *request)
{
	char url[1024], accept[160];
	bool query = !request->put && request->fields[0] != '\0';
	snprintf(url, sizeof url, "%s%s%s%s", http->url, request->path, query ? "?" : "",
		query ? request->fields : "");
	snprintf(accept, sizeof accept, "Accept: %s",
		request->accept != NULL ? request->accept : "application/json");
	CURL *easy = lane->easy;
	bool fine = curl.easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK && add_header(lane, accept);
	fine = fine && (request->header == NULL || add_header(lane, request->header));
	if (request->put) {
		/* Without this line the library asks for leave first, which old servers answer late. */
		fine = fine && add_header(lane, "Expect:") &&
		       curl.easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->fields) == CURLE_OK &&
		       curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT") == CURLE_OK;
	} else {
		fine = fine && curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK &&
		       curl.easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	}
	int64_t left = sooner(request->deadline_ms, real_ms() + CONNECT_MS) - real_ms();
	curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(left > 1 ? left : 1));
	return fine && curl.easy_setopt(easy, CURLOPT_HTTPHEADER, lane->headers) == CURLE_OK;
}

static enum err_code send_off(struct alpaca_http *http, struct lane *lane, const struct alpaca_request *request,
	struct err *err)
{
	if (lane->out) {
		return err_set(err, ERR_INVALID_OPERATION, "%s has not answered the order before this one", http->name);
	}
	buf_clear(&lane->body);
	lane->sinks = request->sinks;
	lane->sunk = NULL;
	lane->over = lane->type_known = lane->too_much = false;
	lane->why[0] = '\0';
	lane->sink_err = (struct err){.code = ERR_OK};
	lane->heard_ms = lane->sent_ms = real_ms();
	if (!dress(http, lane, request) || curl.multi_add_handle(lane->multi, lane->easy) != CURLM_OK) {
		withdraw(lane);
		return err_set(err, ERR_NOMEM, "no memory for a request to %s", http->name);
	}
	lane->out = true;
	char line[400];
	int n = snprintf(line, sizeof line, "%s %s %s", request->put ? "PUT" : "GET", request->path, request->fields);
	note(http, '>', line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
	return ERR_OK;
}

/* Lets the library do what can be done at this moment, and notes which requests have ended. */
static void pump(CURLM *multi)
{
	int running, left;
	curl.multi_perform(multi, &running);
	for (CURLMsg *msg; (msg = curl.multi_info_read(multi, &left)) != NULL;) {
		struct lane *lane = NULL;
		if (msg->msg == CURLMSG_DONE &&
			curl.easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &lane) == CURLE_OK) {
			lane->over = true;
			lane->result = msg->data.result;
		}
	}
}

/* What has become of a request that has ended. */
static enum err_code conclude(struct alpaca_http *http, struct lane *lane, struct alpaca_response *out,
	struct err *err)
{
	look_at_type(lane);
	*out = (struct alpaca_response){
		.came = true, .sunk = lane->sunk, .body = {buf_text(&lane->body), lane->body.len}};
	(void)curl.easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &out->status);
	CURLcode result = lane->result;
	withdraw(lane);
	if (result == CURLE_OK) {
		note(http, '<', out->body.data, out->body.len < 400 ? out->body.len : 400);
		return ERR_OK;
	}
	out->came = false;
	if (lane->sink_err.code != ERR_OK) {
		return err_copy(err, &lane->sink_err);
	}
	const char *why = lane->why[0] != '\0' ? lane->why : curl.easy_strerror(result);
	switch (result) {
	case CURLE_WRITE_ERROR:
		return err_set(err, lane->too_much ? ERR_PROTOCOL : ERR_NOMEM, "%s sends an answer that is too long",
			http->name);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(err, ERR_TIMEOUT, "%s does not take the connection", http->name);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return err_set(err, ERR_PROTOCOL, "%s does not speak HTTP as it should: %.120s", http->name, why);
	case CURLE_OUT_OF_MEMORY:
		return err_set(err, ERR_NOMEM, "no memory for an answer of %s", http->name);
	default:
		return err_set(err, ERR_IO, "%s: %.150s", http->name, why);
	}
}

/* Waits until something happens on the lane's connections, something is urgent, or the moment has come. */
static void wait_for_news(struct alpaca_http *http, const struct lane *lane, bool patient, int64_t until_ms)
{
	struct curl_waitfd fds[1] = {{.fd = http->host->urgent_fd, .events = CURL_WAIT_POLLIN}};
	bool watched = !patient && http->host->urgent != NULL;
	bool by_fd = watched && http->host->urgent_fd >= 0;
	int64_t left = until_ms - real_ms();
	left = left < 0 ? 0 : left;
	if (watched && !by_fd && left > SLICE_MS) {
		left = SLICE_MS;
	}
	curl.multi_poll(lane->multi, fds, by_fd ? 1 : 0, (int)left, NULL);
}

/* Waits for the request that is out.  ERR_OK when it is over, ERR_TIMEOUT, ERR_CANCELLED. */
static enum err_code await(struct alpaca_http *http, struct lane *lane, int64_t deadline_ms, int stall_ms,
	bool patient, struct err *err)
{
	for (;;) {
		pump(lane->multi);
		if (lane->over) {
			return ERR_OK;
		}
		if (!patient && urgent(http)) {
			return err_set(err, ERR_CANCELLED, "%s: something urgent came up", http->name);
		}
		int64_t stalled_ms = stall_ms > 0 ? lane->heard_ms + stall_ms : CLOCK_NEVER;
		int64_t until_ms = sooner(deadline_ms, stalled_ms);
		if (real_ms() >= until_ms) {
			return err_set(err, ERR_TIMEOUT, "%s does not answer", http->name);
		}
		wait_for_news(http, lane, patient, until_ms);
	}
}

/* Whether the other server may have seen the request: an order that waits for its connection must not follow later. */
static bool was_sent(const struct lane *lane)
{
	long bytes = 0;
	(void)curl.easy_getinfo(lane->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes > 0;
}

enum err_code alpaca_http_call(struct alpaca_http *http, const struct alpaca_request *request,
	struct alpaca_response *out, struct err *err)
{
	struct lane *lane = &http->lane[request->lane];
	bool patient = request->patient || request->lane == ALPACA_STOP;
	*out = (struct alpaca_response){.status = 0};
	if (!patient && urgent(http)) {
		return err_set(err, ERR_CANCELLED, "%s: something urgent came up", http->name);
	}
	enum err_code code = send_off(http, lane, request, err);
	if (code == ERR_OK) {
		code = await(http, lane, request->deadline_ms, request->stall_ms, patient, err);
		if (code == ERR_OK) {
			return conclude(http, lane, out, err);
		}
		if (request->lane != ALPACA_ORDER || !was_sent(lane)) {
			withdraw(lane);
		}
	}
	return code;
}

bool alpaca_http_is_late(const struct alpaca_http *http)
{
	return http->lane[ALPACA_ORDER].out;
}

enum err_code alpaca_http_late(struct alpaca_http *http, int64_t deadline_ms, bool patient,
	struct alpaca_response *out, struct err *err)
{
	struct lane *lane = &http->lane[ALPACA_ORDER];
	*out = (struct alpaca_response){.status = 0};
	if (!lane->out) {
		return ERR_OK;
	}
	struct err why;
	enum err_code code = await(http, lane, deadline_ms, 0, patient, &why);
	if (code == ERR_OK) {
		return conclude(http, lane, out, err);
	}
	if (code == ERR_TIMEOUT && real_ms() - lane->sent_ms >= ORDER_PATIENCE_MS) {
		withdraw(lane);
		return err_set(err, ERR_TIMEOUT, "%s has not answered an order for %d s", http->name,
			ORDER_PATIENCE_MS / 1000);
	}
	return code == ERR_TIMEOUT ? ERR_OK : err_copy(err, &why);
}

enum err_code alpaca_http_pause(struct alpaca_http *http, int64_t until_ms, struct err *err)
{
	struct lane *lane = &http->lane[ALPACA_ASK];
	while (real_ms() < until_ms) {
		pump(lane->multi);
		if (urgent(http)) {
			return err_set(err, ERR_CANCELLED, "%s: something urgent came up", http->name);
		}
		wait_for_news(http, lane, false, until_ms);
	}
	return ERR_OK;
}

const char *alpaca_http_name(const struct alpaca_http *http)
{
	return http->name;
}
