/* SPDX-License-Identifier: MIT */
/* The HTTP server's life: start, connections, requests that begin and end, stop. */
#include "http_private.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
	PER_ADDRESS_MAX = 1088,
	CONNECTION_MEMORY = 12 * 1024,
	IDLE_TIMEOUT_S = 150,       /* some imaging programs keep connections for two minutes */
	REQUEST_TIMEOUT_MS = 10000, /* from a request's first byte to its last */
	BEHIND_MS = 20000,          /* so far a client may fall behind HTTP_LEAST_RATE */
};

/* ---- connections ---- */

/* The turn of the library thread that runs this; it serves a connection from its start to its end. */
static struct turn *my_turn(struct http_server *server)
{
	static _Thread_local struct turn *mine;
	if (mine == NULL) {
		mine = &server->turns[atomic_fetch_add(&server->turns_taken, 1) % HTTP_THREADS];
	}
	return mine;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		struct peer *peer = calloc(1, sizeof *peer);
		*socket_context = peer;
		if (peer == NULL) {
			return; /* Its requests find no peer and are answered by closing. */
		}
		peer->turn = my_turn(server);
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

/* ---- requests ---- */

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
	e->address = (struct span){.data = uri, .len = len};
	e->query = e->uri + strcspn(e->uri, "?");
	if (*e->query == '?') {
		*e->query++ = '\0';
	}
	e->path = e->uri;
	e->server = cls;
	buf_init(&e->body, HTTP_BODY_MAX);
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
		atomic_store(&e->peer->keeps, false);
		atomic_fetch_add(&e->peer->finished, 1);
		atomic_store(&e->peer->answering, false);
	}
	if (e->wait.data != NULL && e->wait.release != NULL) {
		e->wait.release(e->wait.data);
	} else {
		free(e->wait.data);
	}
	atomic_fetch_sub(&e->server->answer_bytes, e->answer_bytes);
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

/* Starts the library's threads; the library takes the first listening socket over. */
static enum err_code start_library(struct http_server *server, struct err *err)
{
	int fd = server->doors.mhd_fd;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem socket[] = {{MHD_OPTION_LISTEN_SOCKET, fd, NULL}, {MHD_OPTION_END, 0, NULL}};
	if (fd < 0) {
		flags |= MHD_USE_NO_LISTEN_SOCKET;
		socket[0] = socket[1]; /* the library takes the two together for a mistake */
	}
	server->daemon = MHD_start_daemon(flags, 0,
		NULL, NULL, http_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, server,
		MHD_OPTION_ARRAY, socket, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
#if HTTP_LIBRARY_IS_STRICT
		MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#endif
		MHD_OPTION_END);
	if (server->daemon == NULL) {
		if (fd >= 0) {
			close(fd);
		}
		return err_set(err, ERR_IO, "cannot start the HTTP server");
	}
	return ERR_OK;
}

/* Hands a connection of the doors' own sockets to the library, which closes it when there are too many. */
static void let_in(void *arg, int fd, const struct sockaddr *from, socklen_t len)
{
	struct http_server *server = arg;
	MHD_add_connection(server->daemon, fd, from, len);
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
	server->is_page = options->is_page;
	server->request_timeout_ms =
		options->request_timeout_ms > 0 ? options->request_timeout_ms : REQUEST_TIMEOUT_MS;
	server->behind_ms = options->behind_ms > 0 ? options->behind_ms : BEHIND_MS;
	http_guard_init(&server->guard, options->server_name, options->allowed_hosts);
	http_guard_add_domains(&server->guard);
	enum err_code code = http_doors_open(&server->doors, options->bind, options->port, err);
	if (code != ERR_OK) {
		free(server);
		return code;
	}
	http_raise_file_limit();
	pthread_mutex_init(&server->lock, NULL);
	clock_cond_init(&server->cond);
	code = start_library(server, err);
	int why = code == ERR_OK ? pthread_create(&server->caretaker, NULL, http_care, server) : 0;
	if (why != 0) {
		code = err_set(err, ERR_IO, "cannot start the HTTP server: %s", strerror(why));
	}
	server->has_caretaker = code == ERR_OK;
	if (code == ERR_OK) {
		code = http_doors_start(&server->doors, let_in, server, err);
	}
	if (code != ERR_OK) {
		http_server_stop(server);
		return code;
	}
	*out = server;
	return ERR_OK;
}

bool http_server_is_loopback(const struct http_server *server)
{
	return bind_list_is_loopback(&server->doors.list);
}

bool http_server_is_open(const struct http_server *server)
{
	return atomic_load(&server->doors.is_open);
}

int http_server_port(const struct http_server *server)
{
	return http_server_is_open(server) ? server->doors.port : 0;
}

void http_server_url(const struct http_server *server, char *out, size_t cap)
{
	http_doors_url(&server->doors, out, cap);
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
	http_doors_stop(&server->doors);
	/* The caretaker resumes everybody before it ends; the library must not stop while a connection is suspended. */
	if (server->has_caretaker) {
		pthread_join(server->caretaker, NULL);
	}
	if (server->daemon != NULL) {
		MHD_stop_daemon(server->daemon);
	}
	pthread_cond_destroy(&server->cond);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
