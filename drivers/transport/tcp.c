/* SPDX-License-Identifier: MIT */
/* Network serial servers: a TCP connection as a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "pipes.h"
#include "tcp.h"
#include "text.h"

/* A peer that acknowledges nothing for this long is gone. */
#define PEER_TIMEOUT_MS 5000
#define KEEP_ALIVE_S 10

static enum err_code set_lines(struct transport *t, bool dtr, bool rts, struct err *err)
{
	(void)t;
	(void)dtr;
	(void)rts;
	(void)err;
	return ERR_OK;
}

static void destroy(struct transport *t)
{
	struct fd_pipe *pipe = (struct fd_pipe *)t;
	close(pipe->fd);
	free(pipe);
}

static const struct transport_ops tcp_ops = {
	.name = "tcp",
	.write_all = fd_pipe_write_all,
	.read_some = fd_pipe_read_some,
	.discard_input = fd_pipe_discard_input,
	.set_lines = set_lines,
	.describe = fd_pipe_describe,
	.destroy = destroy,
};

/* 0, or the errno of the failure. */
static int connect_until(int fd, const struct addrinfo *to, int64_t deadline_ms)
{
	if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) {
		return 0;
	}
	if (errno != EINPROGRESS) {
		return errno;
	}
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};
		int n = poll(&pfd, 1, clock_poll_timeout(clock_real(), deadline_ms));
		if (n > 0) {
			int error = 0;
			socklen_t len = sizeof error;
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
			return error;
		}
		if (n < 0 && errno != EINTR) {
			return errno;
		}
		if (n == 0 && clock_now_ms(clock_real()) >= deadline_ms) {
			return ETIMEDOUT;
		}
	}
}

static void tune(int fd)
{
	int on = 1;
	unsigned patience_ms = PEER_TIMEOUT_MS;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
	/* Keep-alive finds a peer that is gone also while nothing is asked. */
	int idle_s = KEEP_ALIVE_S;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof idle_s);
}

enum err_code tcp_connect(const char *where, int64_t deadline_ms, int *out, struct err *err)
{
	struct tcp_address address;
	enum err_code code = tcp_address_parse(where, &address, err);
	struct addrinfo *list = NULL;
	if (code == ERR_OK) {
		code = tcp_resolve(&address, deadline_ms, &list, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	int fd = -1;
	int error = ECONNREFUSED;
	for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			error = errno;
			continue;
		}
		/* An address that swallows packets must leave time for the next one. */
		int64_t now = clock_now_ms(clock_real());
		int64_t until = at->ai_next != NULL ? now + (deadline_ms - now) / 2 : deadline_ms;
		error = connect_until(fd, at, until);
		if (error != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0) {
		return err_set(err, error == ETIMEDOUT ? ERR_TIMEOUT : ERR_IO,
			"cannot connect to tcp://%s: %s", where, strerror(error));
	}
	tune(fd);
	*out = fd;
	return ERR_OK;
}

enum err_code tcp_pipe_open(const char *where, int64_t deadline_ms, struct transport **out,
	struct err *err)
{
	int fd;
	enum err_code code = tcp_connect(where, deadline_ms, &fd, err);
	if (code != ERR_OK) {
		return code;
	}
	struct fd_pipe *pipe = calloc(1, sizeof *pipe);
	if (pipe == NULL) {
		close(fd);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	pipe->base.ops = &tcp_ops;
	pipe->fd = fd;
	pipe->is_socket = true;
	snprintf(pipe->name, sizeof pipe->name, "tcp://%s", where);
	*out = &pipe->base;
	return ERR_OK;
}
