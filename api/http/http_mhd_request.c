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
	struct http_request *req = &e->request;
	req->verb = verb_of(method);
	req->verb_text = method;
	req->path = url;
	/* Some clients send two question marks. */
	const char *query = e->query + strspn(e->query, "?");
	req->query = span_of(query);
	req->content_type = seen.content_type != NULL ? seen.content_type : "";
	e->host = seen.host;
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
	return strstr(e->uri, "%00") != NULL;
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
		if (req->verb != HTTP_GET && req->verb != HTTP_HEAD &&
			!http_guard_origin_ok(&server->guard, host, header_of(req, "Origin"),
				header_of(req, "Sec-Fetch-Site"))) {
			return http_refuse(e, 403, false,
				"Requests that change something are not taken from "
				"pages of another site.");
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
