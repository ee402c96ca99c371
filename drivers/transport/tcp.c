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
#include "text.h"

/* A peer that acknowledges nothing for this long is gone. */
#define PEER_TIMEOUT_MS 5000

struct address {
	char host[200];
	char port[8];
};

/* One name look-up.  It has no deadline of its own, so it runs beside us and may outlive the call
 * that asked; then the next call of this thread for the same host waits for the same look-up. */
struct lookup {
	struct gaicb request;
	struct addrinfo hints;
	struct address address;
};

static _Thread_local struct lookup *unfinished;

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

/* "host:port", "1.2.3.4:port", "[::1]:port". */
static bool parse_address(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':');
	if (colon == NULL || colon == text) {
		return false;
	}
	const char *host = text;
	size_t host_len = (size_t)(colon - text);
	if (host[0] == '[') {
		if (host_len < 3 || host[host_len - 1] != ']') {
			return false;
		}
		host++;
		host_len -= 2;
	} else if (memchr(host, ':', host_len) != NULL) {
		return false;
	}
	uint32_t port = 0;
	if (host_len >= sizeof out->host || !text_parse_u32(span_of(colon + 1), &port) ||
		port == 0 || port > 65535) {
		return false;
	}
	memcpy(out->host, host, host_len);
	out->host[host_len] = '\0';
	snprintf(out->port, sizeof out->port, "%u", (unsigned)port);
	return true;
}

static enum err_code resolve(const struct address *address, int64_t deadline_ms,
	struct addrinfo **out, struct err *err)
{
	struct lookup *lookup = unfinished;
	unfinished = NULL;
	if (lookup != NULL && memcmp(&lookup->address, address, sizeof *address) != 0) {
		/* Of another host; cannot be freed while it runs. */
		lookup = NULL;
	}
	struct gaicb *list[1];
	if (lookup == NULL) {
		lookup = calloc(1, sizeof *lookup);
		if (lookup == NULL) {
			return err_set(err, ERR_NOMEM, "out of memory");
		}
		lookup->address = *address;
		lookup->hints.ai_family = AF_UNSPEC;
		lookup->hints.ai_socktype = SOCK_STREAM;
		lookup->request.ar_name = lookup->address.host;
		lookup->request.ar_service = lookup->address.port;
		lookup->request.ar_request = &lookup->hints;
		list[0] = &lookup->request;
		int rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
		if (rc != 0) {
			free(lookup);
			return err_set(err, ERR_IO, "cannot look up '%s': %s", address->host,
				gai_strerror(rc));
		}
	}
	list[0] = &lookup->request;
	const struct gaicb *const waited[1] = {&lookup->request};
	int rc;
	while ((rc = gai_error(&lookup->request)) == EAI_INPROGRESS) {
		int left_ms = clock_poll_timeout(clock_real(), deadline_ms);
		if (left_ms <= 0) {
			if (gai_cancel(&lookup->request) == EAI_CANCELED) {
				free(lookup);
			} else {
				unfinished = lookup;
			}
			return err_set(err, ERR_TIMEOUT, "the name server does not answer for '%s'",
				address->host);
		}
		struct timespec left = {.tv_sec = left_ms / 1000,
			.tv_nsec = (left_ms % 1000) * 1000000L};
		(void)gai_suspend(waited, 1, &left);
	}
	struct addrinfo *found = rc == 0 ? lookup->request.ar_result : NULL;
	free(lookup);
	if (rc != 0) {
		return err_set(err, ERR_IO, "there is no host '%s': %s", address->host,
			gai_strerror(rc));
	}
	*out = found;
	return ERR_OK;
}

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
}

enum err_code tcp_pipe_open(const char *where, int64_t deadline_ms, struct transport **out,
	struct err *err)
{
	struct address address;
	memset(&address, 0, sizeof address);
	if (!parse_address(where, &address)) {
		return err_set(err, ERR_INVALID_VALUE, "'tcp://%s' is not tcp://host:port", where);
	}
	struct addrinfo *list = NULL;
	enum err_code code = resolve(&address, deadline_ms, &list, err);
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
	struct fd_pipe *pipe = calloc(1, sizeof *pipe);
	if (pipe == NULL) {
		close(fd);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	tune(fd);
	pipe->base.ops = &tcp_ops;
	pipe->fd = fd;
	snprintf(pipe->name, sizeof pipe->name, "tcp://%s", where);
	*out = &pipe->base;
	return ERR_OK;
}
