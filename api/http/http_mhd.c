/* SPDX-License-Identifier: MIT */
/*
 * The one file that knows the HTTP library.  Two library threads parse, call the handler and send;
 * one thread of ours (the caretaker) resumes what waits and shuts connections whose request does
 * not come to an end.  Lock order: server->lock is a leaf; nothing is called under it but system
 * calls on sockets, so http_server_wake() may be called under anybody's lock.
 *
 * A waiting request is suspended in the library and stands in server->waiting.  A wake between the
 * handler's look at the world and that entry is not lost: the generation read before the look is
 * compared after the entry.
 */
#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http_guard.h"
#include "http_listen.h"
#include "http_peers.h"
#include "log.h"

enum {
	BODY_MAX = 64 * 1024,        /* larger ones are read and refused */
	BODY_READ_MAX = 1024 * 1024, /* larger ones are not even read */
	CONNECTIONS_MAX = 1536,
	PER_ADDRESS_MAX = 1088,
	CONNECTION_MEMORY = 12 * 1024,
	IDLE_TIMEOUT_S = 150,       /* some clients keep connections for two minutes */
	REQUEST_TIMEOUT_MS = 10000, /* from a request's first byte to its last */
	SWEEPS_PER_TIMEOUT = 5,
	THREADS = 2,
};

struct exchange {
	struct exchange *prev, *next; /* in server->waiting */
	int64_t wake_ms;
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct peer *peer;
	struct http_request request;
	struct http_wait wait;
	struct buf body;
	size_t body_seen;
	bool headers_seen;
	const char *host; /* NULL when absent */
	char *query; /* behind the '?' of uri */
	char uri[];
};

struct http_server {
	struct MHD_Daemon *daemon;
	http_handler handler;
	void *arg;
	struct http_guard guard;
	int port;
	bool loopback;
	int64_t request_timeout_ms;
	pthread_t caretaker;
	_Atomic uint64_t generation; /* of wakes */
	_Atomic unsigned waiting_count;
	_Atomic uint64_t by_class[6];
	pthread_mutex_t lock;
	/* Under lock. */
	pthread_cond_t cond;
	struct peer *peers;
	struct exchange *waiting;
	bool wake_all;
	bool sweeping; /* the caretaker has a time for the next sweep */
	bool stopping;
};

/* ---- waiting ---- */

static void waiting_remove(struct http_server *server, struct exchange *e)
{
	*(e->prev != NULL ? &e->prev->next : &server->waiting) = e->next;
	if (e->next != NULL) {
		e->next->prev = e->prev;
	}
	e->prev = NULL;
	e->next = NULL;
	atomic_fetch_sub(&server->waiting_count, 1);
}

/* Puts the exchange to sleep until a wake after generation, or wake_ms.  False when the server
 * stops. */
static bool suspend(struct exchange *e, uint64_t generation, int64_t wake_ms)
{
	struct http_server *server = e->server;
	pthread_mutex_lock(&server->lock);
	bool stopping = server->stopping;
	pthread_mutex_unlock(&server->lock);
	if (stopping) {
		return false;
	}
	MHD_suspend_connection(e->mhd);
	pthread_mutex_lock(&server->lock);
	stopping = server->stopping;
	if (!stopping) {
		e->prev = NULL;
		e->next = server->waiting;
		if (e->next != NULL) {
			e->next->prev = e;
		}
		server->waiting = e;
		atomic_fetch_add(&server->waiting_count, 1);
		e->wake_ms = atomic_load(&server->generation) != generation ? 0 : wake_ms;
		pthread_cond_signal(&server->cond);
	}
	pthread_mutex_unlock(&server->lock);
	if (stopping) {
		/* The caretaker may be gone already; the next call finds the server stopping. */
		MHD_resume_connection(e->mhd);
	}
	return true;
}

void http_server_wake(struct http_server *server)
{
	atomic_fetch_add(&server->generation, 1);
	if (atomic_load(&server->waiting_count) == 0) {
		return;
	}
	pthread_mutex_lock(&server->lock);
	server->wake_all = true;
	pthread_cond_signal(&server->cond);
	pthread_mutex_unlock(&server->lock);
}

/* Takes every exchange that is due out of the list; *next_ms is when the next one will be. */
static struct exchange *take_due(struct http_server *server, int64_t now_ms, int64_t *next_ms)
{
	struct exchange *due = NULL;
	bool all = server->wake_all || server->stopping;
	server->wake_all = false;
	for (struct exchange *e = server->waiting, *next; e != NULL; e = next) {
		next = e->next;
		if (all || e->wake_ms <= now_ms) {
			waiting_remove(server, e);
			e->next = due;
			due = e;
		} else if (e->wake_ms < *next_ms) {
			*next_ms = e->wake_ms;
		}
	}
	return due;
}

static void *care(void *arg)
{
	struct http_server *server = arg;
	int64_t sweep_ms = CLOCK_NEVER;
	int64_t period_ms = server->request_timeout_ms / SWEEPS_PER_TIMEOUT;
	pthread_mutex_lock(&server->lock);
	for (;;) {
		int64_t now_ms = clock_now_ms(clock_real());
		int64_t next_ms = CLOCK_NEVER;
		struct exchange *due = take_due(server, now_ms, &next_ms);
		if (due != NULL) {
			/* A suspended connection stays until it is resumed, so the pointers hold;
			 * the library's own lock must not be taken under ours. */
			pthread_mutex_unlock(&server->lock);
			while (due != NULL) {
				struct exchange *e = due;
				due = e->next;
				e->next = NULL;
				MHD_resume_connection(e->mhd);
			}
			pthread_mutex_lock(&server->lock);
			continue;
		}
		if (server->stopping) {
			break;
		}
		if (server->peers == NULL && now_ms >= sweep_ms) {
			sweep_ms = CLOCK_NEVER;
		} else if (server->peers != NULL && sweep_ms == CLOCK_NEVER) {
			sweep_ms = now_ms + period_ms;
		} else if (server->peers != NULL && now_ms >= sweep_ms) {
			peers_sweep(server->peers, server->request_timeout_ms, now_ms);
			sweep_ms = now_ms + period_ms;
		}
		server->sweeping = sweep_ms != CLOCK_NEVER;
		clock_wait(clock_real(), &server->cond, &server->lock,
			next_ms < sweep_ms ? next_ms : sweep_ms);
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* ---- connections ---- */

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		struct peer *peer = calloc(1, sizeof *peer);
		*socket_context = peer;
		if (peer == NULL) {
			return; /* its requests are answered by closing */
		}
		peer->fd =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		http_address_text(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
					  ->client_addr,
			peer->address, sizeof peer->address);
		pthread_mutex_lock(&server->lock);
		peers_add(&server->peers, peer);
		if (!server->sweeping) {
			server->sweeping = true;
			pthread_cond_signal(&server->cond);
		}
		pthread_mutex_unlock(&server->lock);
		return;
	}
	struct peer *peer = *socket_context;
	if (peer == NULL) {
		return;
	}
	pthread_mutex_lock(&server->lock);
	peers_remove(&server->peers, peer);
	pthread_mutex_unlock(&server->lock);
	*socket_context = NULL;
	free(peer);
}

/* ---- answers ---- */

static void clear_response(struct http_response *res)
{
	memset(res, 0, offsetof(struct http_response, header_value));
}

/* A stream while it is sent; outlives the exchange if the library keeps the response longer. */
struct sending {
	struct http_stream stream;
	struct exchange *exchange;
};

static ssize_t on_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct sending *sending = cls;
	struct exchange *e = sending->exchange;
	uint64_t generation = atomic_load(&e->server->generation);
	ssize_t n = sending->stream.read(sending->stream.arg, pos, out, max);
	if (n > 0) {
		return n;
	}
	if (n == HTTP_STREAM_LATER) {
		int64_t wake_ms = sending->stream.wake_ms > 0
					  ? clock_now_ms(clock_real()) + sending->stream.wake_ms
					  : CLOCK_NEVER;
		if (suspend(e, generation, wake_ms)) {
			return 0;
		}
	}
	return sending->stream.size >= 0 ? MHD_CONTENT_READER_END_WITH_ERROR
					 : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_read_end(void *cls)
{
	struct sending *sending = cls;
	if (sending->stream.release != NULL) {
		sending->stream.release(sending->stream.arg);
	}
	free(sending);
}

static struct MHD_Response *stream_response(struct exchange *e, struct http_response *res)
{
	struct sending *sending = calloc(1, sizeof *sending);
	if (sending == NULL) {
		if (res->stream.release != NULL) {
			res->stream.release(res->stream.arg);
		}
		return NULL;
	}
	sending->stream = res->stream;
	sending->exchange = e;
	uint64_t size = res->stream.size >= 0 ? (uint64_t)res->stream.size : MHD_SIZE_UNKNOWN;
	size_t block = res->stream.block > 0 ? res->stream.block : 16384;
	struct MHD_Response *response =
		MHD_create_response_from_callback(size, block, on_read, sending, on_read_end);
	if (response == NULL) {
		on_read_end(sending);
	}
	return response;
}

static struct MHD_Response *make_response(struct exchange *e, struct http_response *res)
{
	static char failed[] = "The server is out of memory.\n";
	if (res->stream.read != NULL) {
		buf_fini(&res->body);
		return stream_response(e, res);
	}
	if (res->static_body != NULL) {
		buf_fini(&res->body);
		/* The library does not write to it; its interface has no const. */
		union {
			const void *in;
			void *out;
		} body = {.in = res->static_body};
		return MHD_create_response_from_buffer(
			res->static_len, body.out, MHD_RESPMEM_PERSISTENT);
	}
	if (res->body.failed) {
		buf_fini(&res->body);
		res->status = 500;
		res->content_type = "text/plain; charset=utf-8";
		return MHD_create_response_from_buffer(
			sizeof failed - 1, failed, MHD_RESPMEM_PERSISTENT);
	}
	/* The library frees it with the response. */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(res->body.len, res->body.data,
			res->body.data != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (response == NULL) {
		buf_fini(&res->body);
	}
	return response;
}

static enum MHD_Result send_response(struct exchange *e, struct http_response *res, bool close)
{
	struct MHD_Response *response = make_response(e, res);
	if (response == NULL) {
		return MHD_NO;
	}
	if (res->content_type != NULL) {
		MHD_add_response_header(response, "Content-Type", res->content_type);
	}
	for (int i = 0; i < res->header_count; i++) {
		MHD_add_response_header(response, res->header_name[i], res->header_value[i]);
	}
	if (close) {
		MHD_add_response_header(response, "Connection", "close");
	}
	int status = res->status > 0 ? res->status : 200;
	atomic_store(&e->peer->answering, true);
	enum MHD_Result ok = MHD_queue_response(e->mhd, (unsigned)status, response);
	MHD_destroy_response(response);
	if (status >= 100 && status < 600) {
		atomic_fetch_add_explicit(
			&e->server->by_class[status / 100], 1, memory_order_relaxed);
	}
	return ok;
}

static enum MHD_Result refuse(struct exchange *e, int status, bool close, const char *text)
{
	struct http_response res;
	clear_response(&res);
	http_text(&res, status, "%s", text);
	return send_response(e, &res, close);
}

/* ---- requests ---- */

/* What is asked of the headers of every request, found in one pass; the first of each name. */
struct seen_headers {
	struct http_framing framing;
	bool expect;
	const char *host;
	const char *content_type;
};

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *key,
	size_t key_len, const char *value, size_t value_len)
{
	(void)kind;
	struct seen_headers *seen = cls;
	http_framing_add(&seen->framing, (struct span){.data = key, .len = key_len},
		(struct span){.data = value != NULL ? value : "", .len = value_len});
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

/* The headers are there.  Refuses at once only what cannot be read to its end. */
static enum MHD_Result on_headers(
	struct exchange *e, const char *url, const char *method, const char *version)
{
	e->headers_seen = true;
	struct seen_headers seen = {.expect = false};
	MHD_get_connection_values_n(e->mhd, MHD_HEADER_KIND, see_header, &seen);
	const char *fault = http_framing_fault(&seen.framing, strcmp(version, "HTTP/1.1") == 0);
	if (fault != NULL) {
		return refuse(e, 400, true, fault);
	}
	if (seen.framing.length > BODY_READ_MAX || (seen.expect && seen.framing.length > BODY_MAX)) {
		return refuse(e, 413, true, "The request body is too large: at most 65536 bytes.");
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
	if (e->body_seen > BODY_READ_MAX) {
		return MHD_NO;
	}
	if (e->body_seen <= BODY_MAX) {
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

static enum MHD_Result on_complete(struct exchange *e)
{
	struct http_server *server = e->server;
	struct http_request *req = &e->request;
	atomic_store(&e->peer->answering, true);
	if (!e->wait.resumed) {
		if (e->body_seen > BODY_MAX) {
			return refuse(e, 413, false,
				"The request body is too large: at most 65536 bytes.");
		}
		if (e->body.failed) {
			return refuse(e, 500, false, "The server is out of memory.");
		}
		if (path_is_cut(e)) {
			return refuse(e, 400, false, "The path contains an encoded NUL.");
		}
		const char *host = e->host;
		if (!http_guard_host_ok(&server->guard, host)) {
			return refuse(e, 403, false,
				"This host name is not known here: use the IP address, localhost "
				"or the "
				"machine's name, or add the name to allowed_hosts in [server].");
		}
		if (req->verb != HTTP_GET && req->verb != HTTP_HEAD &&
			!http_guard_origin_ok(&server->guard, host, header_of(req, "Origin"),
				header_of(req, "Sec-Fetch-Site"))) {
			return refuse(e, 403, false,
				"Requests that change something are not taken from "
				"pages of another site.");
		}
		req->body = (struct span){.data = buf_text(&e->body), .len = e->body.len};
	}
	struct http_response res;
	clear_response(&res);
	uint64_t generation = atomic_load(&server->generation);
	if (server->handler(server->arg, req, &res) == HTTP_DONE) {
		return send_response(e, &res, false);
	}
	buf_fini(&res.body);
	e->wait.resumed = true;
	if (!suspend(e, generation, e->wait.deadline_ms)) {
		return refuse(e, 503, true, "The server is shutting down.");
	}
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
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

/* The library decodes the address in place later, so it is copied while it is raw. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	(void)mhd;
	size_t len = strlen(uri);
	struct exchange *e = malloc(sizeof *e + len + 1);
	if (e == NULL) {
		return NULL;
	}
	memset(e, 0, sizeof *e);
	memcpy(e->uri, uri, len + 1);
	e->query = e->uri + strcspn(e->uri, "?");
	if (*e->query == '?') {
		*e->query++ = '\0';
	}
	e->server = cls;
	buf_init(&e->body, BODY_MAX);
	return e;
}

static void on_completed(
	void *cls, struct MHD_Connection *mhd, void **con_cls, enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)mhd;
	(void)why;
	struct exchange *e = *con_cls;
	if (e == NULL) {
		return;
	}
	if (e->peer != NULL) {
		atomic_fetch_add(&e->peer->finished, 1);
		atomic_store(&e->peer->answering, false);
	}
	free(e->wait.data);
	buf_fini(&e->body);
	free(e);
	*con_cls = NULL;
}

/* ---- start and stop ---- */

static void on_library_log(void *cls, const char *format, va_list ap)
{
	(void)cls;
	if (!log_enabled(LOG_DEBUG)) {
		return;
	}
	char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(text, sizeof text, format, ap);
#pragma GCC diagnostic pop
	text[strcspn(text, "\r\n")] = '\0';
	log_debug("http", "library: %s", text);
}

enum err_code http_server_start(const struct http_options *options, http_handler handler, void *arg,
	struct http_server **out, struct err *err)
{
	struct http_server *server = calloc(1, sizeof *server);
	if (server == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	server->handler = handler;
	server->arg = arg;
	server->request_timeout_ms =
		options->request_timeout_ms > 0 ? options->request_timeout_ms : REQUEST_TIMEOUT_MS;
	http_guard_init(&server->guard, options->server_name, options->allowed_hosts);
	int fd = http_listen(options->bind, options->port, &server->port, &server->loopback, err);
	if (fd < 0) {
		free(server);
		return ERR_IO;
	}
	http_raise_file_limit();
	pthread_mutex_init(&server->lock, NULL);
	clock_cond_init(&server->cond);
	int why = pthread_create(&server->caretaker, NULL, care, server);
	if (why != 0) {
		close(fd);
		err_set(err, ERR_IO, "cannot start the HTTP server: %s", strerror(why));
		goto fail;
	}
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
	if (server->daemon == NULL) {
		close(fd);
		pthread_mutex_lock(&server->lock);
		server->stopping = true;
		pthread_cond_signal(&server->cond);
		pthread_mutex_unlock(&server->lock);
		pthread_join(server->caretaker, NULL);
		err_set(err, ERR_IO, "cannot start the HTTP server");
		goto fail;
	}
	*out = server;
	return ERR_OK;
fail:
	pthread_cond_destroy(&server->cond);
	pthread_mutex_destroy(&server->lock);
	free(server);
	return ERR_IO;
}

bool http_server_is_loopback(const struct http_server *server)
{
	return server->loopback;
}

int http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_counts(struct http_server *server, uint64_t by_class[6])
{
	for (int i = 0; i < 6; i++) {
		by_class[i] = atomic_load_explicit(&server->by_class[i], memory_order_relaxed);
	}
}

void http_server_stop(struct http_server *server)
{
	if (server == NULL) {
		return;
	}
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_cond_signal(&server->cond);
	pthread_mutex_unlock(&server->lock);
	/* The caretaker resumes everybody before it ends; the library must not stop before. */
	pthread_join(server->caretaker, NULL);
	MHD_stop_daemon(server->daemon);
	pthread_cond_destroy(&server->cond);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
