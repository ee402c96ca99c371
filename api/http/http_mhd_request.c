/* SPDX-License-Identifier: MIT */
/* From the headers that the library parsed to a struct http_request, and what is refused on the way. */
#include "http_private.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "http_block.h"
#include "log.h"

/* What is asked of the headers of every request.  They are looked through once; of a name that comes twice, the
 * first counts. */
struct seen_headers {
	struct http_framing framing;
	struct http_block block;
	bool expect;
	const char *host;
	const char *content_type;
};

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *key,
	size_t key_len, const char *value, size_t value_len)
{
	(void)kind;
	struct seen_headers *seen = cls;
	struct span name = {.data = key, .len = key_len};
	struct span text = {.data = value != NULL ? value : "", .len = value_len};
	http_framing_add(&seen->framing, name, text);
	http_block_add(&seen->block, name, text);
	switch (key[0] | 0x20) {
	case 'c':
		if (seen->content_type == NULL && strcasecmp(key, "Content-Type") == 0) {
			seen->content_type = value;
		}
		break;
	case 'e':
		seen->expect = seen->expect || strcasecmp(key, "Expect") == 0;
		break;
	case 'h':
		if (seen->host == NULL && strcasecmp(key, "Host") == 0) {
			seen->host = value;
		}
		break;
	default:
		break;
	}
	return MHD_YES;
}

static const char *header_of(const struct http_request *req, const char *name)
{
	struct exchange *e = req->backend;
	return MHD_lookup_connection_value(e->mhd, MHD_HEADER_KIND, name);
}

static enum http_verb verb_of(const char *method)
{
	static const struct {
		const char *name;
		enum http_verb verb;
	} verbs[] = {
		{"GET", HTTP_GET}, {"PUT", HTTP_PUT}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST}};
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(method, verbs[i].name) == 0) {
			return verbs[i].verb;
		}
	}
	return HTTP_OTHER;
}

/* "http://host/path" as the target of a request is for proxies, but everybody has to understand it; its host then
 * counts, and not the header (RFC 9112 section 3.2.2).  *url is the decoded address, and the part of uri before the
 * path becomes a text of its own.  False when the host is written in a way that is not understood. */
static bool take_absolute_form(struct exchange *e, const char **url)
{
	static const char scheme[] = "http://";
	const size_t at = sizeof scheme - 1;
	if (strncasecmp(e->uri, scheme, at) != 0) {
		return true;
	}
	size_t len = strcspn(e->uri + at, "/");
	/* Decoding left everything before a percent sign where it was; a host has none in this form. */
	if (len == 0 || memchr(e->uri + at, '%', len) != NULL) {
		return false;
	}
	const char *path = *url + at + len;
	*url = *path != '\0' ? path : "/";
	e->path = e->uri + at + len;
	if (*e->path == '/') {
		*e->path++ = '\0';
	}
	e->host = e->uri + at;
	return true;
}

/* Called when the headers are there.  Only a request that cannot be read to its end is refused at once. */
static enum MHD_Result on_headers(
	struct exchange *e, const char *url, const char *method, const char *version)
{
	e->headers_seen = true;
	struct seen_headers seen = {.expect = false};
	http_block_begin(&seen.block, method, e->address, version);
	MHD_get_connection_values_n(e->mhd, MHD_HEADER_KIND, see_header, &seen);
	const union MHD_ConnectionInfo *head =
		MHD_get_connection_info(e->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (!HTTP_LIBRARY_IS_STRICT && !http_block_is_whole(&seen.block, method + head->header_size)) {
		return http_refuse(e, 400, true, "The request has a NUL or a continued line in its headers.");
	}
	const char *fault = http_framing_fault(&seen.framing, strcmp(version, "HTTP/1.0") == 0);
	if (fault != NULL) {
		return http_refuse(e, 400, true, fault);
	}
	if (seen.framing.length > HTTP_BODY_READ_MAX || (seen.expect && seen.framing.length > HTTP_BODY_MAX)) {
		return http_refuse(e, 413, true, "The request body is too large: at most 65536 bytes.");
	}
	e->host = seen.host;
	if (!take_absolute_form(e, &url)) {
		return http_refuse(e, 400, true, "The host in the address of the request is not understood.");
	}
	struct http_request *req = &e->request;
	req->verb = verb_of(method);
	req->verb_text = method;
	req->path = url;
	/* Some clients send two question marks. */
	const char *query = e->query + strspn(e->query, "?");
	req->query = span_of(query);
	req->content_type = seen.content_type != NULL ? seen.content_type : "";
	_Static_assert(sizeof req->peer == sizeof e->peer->address, "copied whole");
	memcpy(req->peer, e->peer->address, sizeof req->peer);
	req->header = header_of;
	req->wait = &e->wait;
	req->backend = e;
	return MHD_YES;
}

static enum MHD_Result on_body(struct exchange *e, const char *data, size_t *size)
{
	e->body_seen += *size;
	if (e->body_seen > HTTP_BODY_READ_MAX) {
		return MHD_NO;
	}
	if (e->body_seen <= HTTP_BODY_MAX) {
		buf_add(&e->body, data, *size);
	}
	*size = 0;
	return MHD_YES;
}

/* The part of the raw address before the query holds an encoded NUL: the decoded path would end
 * there and mean something else than was written. */
static bool path_is_cut(const struct exchange *e)
{
	return strstr(e->path, "%00") != NULL;
}

/* The person at the other end sees the refusal, but the owner of the machine reads the log. */
static void tell_strange_host(struct http_server *server, const char *host)
{
	char name[128];
	pthread_mutex_lock(&server->lock);
	bool is_news = http_names_note(&server->strangers, http_guard_host(host), name);
	bool is_last = is_news && server->strangers.count == HTTP_NAMES_MAX;
	pthread_mutex_unlock(&server->lock);
	if (is_news) {
		const char *allowed = server->guard.allowed;
		log_warn("http", "refused a request for the unknown host name %s; if it is this machine's, write under "
			"[server]: allowed_hosts = %s%s%s%s", name, allowed, allowed[0] != '\0' ? ", " : "", name,
			is_last ? " (further names are not logged)" : "");
	}
}

/* The question that a browser asks before a page of another origin may send a PUT (Fetch standard, section 4.8). */
static enum MHD_Result allow_page(struct exchange *e)
{
	struct http_response res;
	http_clear_response(&res);
	res.status = 204;
	http_add_header(&res, "Access-Control-Allow-Methods", "GET, PUT, POST");
	http_add_header(&res, "Access-Control-Allow-Headers", "Content-Type");
	http_add_header(&res, "Access-Control-Max-Age", "600");
	if (header_of(&e->request, "Access-Control-Request-Private-Network") != NULL) {
		http_add_header(&res, "Access-Control-Allow-Private-Network", "true");
	}
	return http_send(e, &res, false);
}

/* What the headers of browsers decide, before a handler is asked: whether the answer is for a page elsewhere, and
 * whether there is one.  True when *done is the answer. */
static bool answer_for_browsers(struct exchange *e, enum MHD_Result *done)
{
	const struct http_server *server = e->server;
	const struct http_request *req = &e->request;
	struct http_fetch fetch = {
		.host = e->host,
		.origin = header_of(req, "Origin"),
		.referer = header_of(req, "Referer"),
		.site = header_of(req, "Sec-Fetch-Site"),
		.mode = header_of(req, "Sec-Fetch-Mode"),
		.dest = header_of(req, "Sec-Fetch-Dest"),
		.upgrade = header_of(req, "Upgrade-Insecure-Requests"),
	};
	if (http_guard_origin_is_allowed(&server->guard, fetch.origin)) {
		e->shared_with = fetch.origin;
		if (strcmp(req->verb_text, "OPTIONS") == 0 &&
			header_of(req, "Access-Control-Request-Method") != NULL) {
			*done = allow_page(e);
			return true;
		}
		return false;
	}
	if (req->verb == HTTP_GET || req->verb == HTTP_HEAD) {
		bool is_page = server->is_page != NULL && server->is_page(req->path);
		if (http_guard_read_ok(&server->guard, &fetch, is_page)) {
			return false;
		}
		*done = http_refuse(e, 403, false, "Requests of pages of another site are not answered; a page that "
			"you trust may ask when its host stands in allowed_hosts in [server].");
		return true;
	}
	if (!http_guard_origin_ok(&server->guard, fetch.host, fetch.origin, fetch.site)) {
		*done = http_refuse(e, 403, false,
			"Requests that change something are not taken from pages of another site.");
		return true;
	}
	return false;
}

static enum MHD_Result on_complete(struct exchange *e)
{
	struct http_server *server = e->server;
	struct http_request *req = &e->request;
	atomic_store(&e->peer->answering, true);
	if (!e->wait.resumed) {
		if (e->body_seen > HTTP_BODY_MAX) {
			return http_refuse(e, 413, false,
				"The request body is too large: at most 65536 bytes.");
		}
		if (e->body.failed) {
			return http_refuse(e, 500, false, "The server is out of memory.");
		}
		if (path_is_cut(e)) {
			return http_refuse(e, 400, false, "The path contains an encoded NUL.");
		}
		const char *host = e->host;
		if (!http_guard_host_ok(&server->guard, host)) {
			tell_strange_host(server, host);
			return http_refuse(e, 403, false,
				"This host name is not known here: use the IP address, localhost "
				"or the "
				"machine's name, or add the name to allowed_hosts in [server].");
		}
		enum MHD_Result done;
		if (answer_for_browsers(e, &done)) {
			return done;
		}
		req->body = (struct span){.data = buf_text(&e->body), .len = e->body.len};
	}
	struct http_response res;
	http_clear_response(&res);
	uint64_t generation = atomic_load(&server->generation);
	turn_enter(e->peer->turn);
	enum http_result result = server->handler(server->arg, req, &res);
	http_note_turn(e, "answering");
	if (result == HTTP_DONE) {
		return http_send(e, &res, false);
	}
	buf_fini(&res.body);
	e->wait.resumed = true;
	if (!http_suspend(e, generation, e->wait.deadline_ms)) {
		return http_refuse(e, 503, true, "The server is shutting down.");
	}
	return MHD_YES;
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload_data, size_t *upload_data_size,
	void **con_cls)
{
	(void)cls;
	struct exchange *e = *con_cls;
	if (e == NULL) {
		return MHD_NO;
	}
	if (!e->headers_seen) {
		e->mhd = mhd;
		e->peer = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
				  ->socket_context;
		return e->peer != NULL ? on_headers(e, url, method, version)
				       : MHD_NO;
	}
	if (*upload_data_size > 0) {
		return on_body(e, upload_data, upload_data_size);
	}
	return on_complete(e);
}
