/* SPDX-License-Identifier: MIT */
#include "http_doors.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
	RETRY_MS = 2000,   /* a person who plugs a cable in waits no longer */
	BREATH_MS = 100,   /* after a connection that could not be taken for want of files or memory */
	IN_A_ROW = 64,     /* so many connections are taken from one socket before the others have their turn */
};

/* Tries the address with this index and notes what came of it. */
static enum listen_result try_door(struct http_doors *doors, int i, int *fd, struct err *err)
{
	const struct bind_address *where = doors->list.count > 0 ? &doors->list.at[i] : NULL;
	int port = 0;
	enum listen_result result = http_listen(where, doors->port, fd, &port, err);
	doors->result[i] = result;
	if (result == LISTEN_OK && !atomic_load(&doors->is_open)) {
		doors->port = port;
		doors->first = where;
		atomic_store(&doors->is_open, true);
	}
	return result;
}

static bool any_missing(const struct http_doors *doors)
{
	for (int i = 0; i < BIND_MAX; i++) {
		if (doors->result[i] != LISTEN_OK) {
			return true;
		}
	}
	return false;
}

static void close_all(struct http_doors *doors)
{
	for (int i = 0; i < BIND_MAX; i++) {
		if (doors->fd[i] >= 0) {
			close(doors->fd[i]);
			doors->fd[i] = -1;
		}
	}
}

static void tell_missing(const struct http_doors *doors)
{
	for (int i = 0; i < doors->list.count; i++) {
		if (doors->result[i] != LISTEN_OK) {
			log_warn("http", "%s is no address of this machine yet: it is tried again every %d s%s",
				doors->list.at[i].text, RETRY_MS / 1000,
				atomic_load(&doors->is_open) ? "" : ", and until then nobody is served");
		}
	}
}

enum err_code http_doors_open(struct http_doors *doors, const char *bind_to, int port, struct err *err)
{
	memset(doors, 0, sizeof *doors);
	doors->port = port;
	doors->mhd_fd = -1;
	doors->stop_fd = -1;
	memset(doors->fd, -1, sizeof doors->fd);
	enum err_code code = bind_list_parse(bind_to != NULL ? bind_to : "", &doors->list, err);
	if (code != ERR_OK) {
		return code;
	}
	int count = doors->list.count > 0 ? doors->list.count : 1;
	for (int i = 0; i < count; i++) {
		int fd;
		enum listen_result result = try_door(doors, i, &fd, err);
		/* An address that cannot come later is an error; so is a failure of all addresses, which are always
		 * there. */
		if (result == LISTEN_FAILED || (result == LISTEN_LATER && doors->list.count == 0)) {
			close_all(doors);
			if (doors->mhd_fd >= 0) {
				close(doors->mhd_fd);
			}
			return ERR_IO;
		}
		if (result == LISTEN_OK && doors->mhd_fd < 0) {
			doors->mhd_fd = fd;
		} else {
			doors->fd[i] = fd;
		}
	}
	tell_missing(doors);
	return ERR_OK;
}

/* Tries again what is missing. */
static void retry(struct http_doors *doors)
{
	for (int i = 0; i < doors->list.count; i++) {
		struct err err;
		enum listen_result before = doors->result[i];
		if (before == LISTEN_OK) {
			continue;
		}
		enum listen_result result = try_door(doors, i, &doors->fd[i], &err);
		if (result == LISTEN_OK) {
			log_info("http", "%s has come: listening on its port %d", doors->list.at[i].text, doors->port);
		} else if (result != before) {
			log_warn("http", "%s; trying again every %d s", err.text, RETRY_MS / 1000);
		}
	}
}

/* Lets in the connections that wait at a socket; false when there is no room to take one. */
static bool take_waiting(struct http_doors *doors, int door)
{
	for (int i = 0; i < IN_A_ROW; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		int fd = accept4(door, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
		}
		doors->let_in(doors->arg, fd, (const struct sockaddr *)&from, len);
	}
	return true;
}

static void *keep_doors(void *arg)
{
	struct http_doors *doors = arg;
	bool has_room = true;
	int64_t retry_ms = clock_now_ms(clock_real()) + RETRY_MS;
	for (;;) {
		struct pollfd fds[1 + BIND_MAX] = {{.fd = doors->stop_fd, .events = POLLIN}};
		for (int i = 0; i < BIND_MAX; i++) {
			/* poll() passes over what is negative. */
			fds[1 + i] = (struct pollfd){.fd = has_room ? doors->fd[i] : -1, .events = POLLIN};
		}
		int timeout_ms = any_missing(doors) ? clock_poll_timeout(clock_real(), retry_ms) : -1;
		int n = poll(fds, 1 + BIND_MAX, has_room ? timeout_ms : BREATH_MS);
		if (fds[0].revents != 0) {
			return NULL;
		}
		has_room = true;
		for (int i = 0; n > 0 && i < BIND_MAX; i++) {
			if (fds[1 + i].revents != 0) {
				has_room = take_waiting(doors, doors->fd[i]) && has_room;
			}
		}
		if (clock_now_ms(clock_real()) >= retry_ms) {
			retry(doors);
			retry_ms = clock_now_ms(clock_real()) + RETRY_MS;
		}
	}
}

enum err_code http_doors_start(struct http_doors *doors, http_let_in let_in, void *arg, struct err *err)
{
	bool has_own = false;
	for (int i = 0; i < BIND_MAX; i++) {
		has_own = has_own || doors->fd[i] >= 0;
	}
	if (!has_own && !any_missing(doors)) {
		return ERR_OK;
	}
	doors->let_in = let_in;
	doors->arg = arg;
	doors->stop_fd = eventfd(0, EFD_CLOEXEC);
	int why = doors->stop_fd < 0 ? errno : pthread_create(&doors->thread, NULL, keep_doors, doors);
	if (why != 0) {
		return err_set(err, ERR_IO, "cannot start the HTTP server: %s", strerror(why));
	}
	doors->has_thread = true;
	return ERR_OK;
}

void http_doors_stop(struct http_doors *doors)
{
	if (doors->has_thread) {
		uint64_t one = 1;
		ssize_t n = write(doors->stop_fd, &one, sizeof one);
		(void)n;
		pthread_join(doors->thread, NULL);
		doors->has_thread = false;
	}
	if (doors->stop_fd >= 0) {
		close(doors->stop_fd);
		doors->stop_fd = -1;
	}
	close_all(doors);
}

void http_doors_url(const struct http_doors *doors, char *out, size_t cap)
{
	const struct bind_address *first = doors->first;
	if (first == NULL || bind_address_is_any(first)) {
		snprintf(out, cap, "http://127.0.0.1:%d/", doors->port);
	} else if (first->family == AF_INET) {
		snprintf(out, cap, "http://%s:%d/", first->text, doors->port);
	} else {
		/* In a URL the percent sign before the zone is written %25 (RFC 6874). */
		size_t len = strcspn(first->text, "%");
		bool has_zone = first->text[len] == '%';
		snprintf(out, cap, "http://[%.*s%s%s]:%d/", (int)len, first->text, has_zone ? "%25" : "",
			has_zone ? first->text + len + 1 : "", doors->port);
	}
}
