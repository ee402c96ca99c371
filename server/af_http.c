/* SPDX-License-Identifier: MIT */
#include "af_http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

/* Where Alpaca servers listen (Alpaca API Reference, section 1). */
#define ALPACA_PORT 11111
/* More than any request here needs: a name, a path, a form. */
#define REQUEST_MAX 16384

enum err_code af_server_parse(const char *url, struct af_server *out, struct err *err)
{
	static const char scheme[] = "http://";
	if (strncmp(url, scheme, sizeof scheme - 1) != 0) {
		return err_set(err, ERR_INVALID_VALUE, "the URL must begin with http://, as in http://pier:11111");
	}
	const char *host = url + sizeof scheme - 1;
	bool bracket = host[0] == '[';
	host += bracket;
	size_t length = strcspn(host, bracket ? "]" : ":/");
	const char *after = host + length;
	if (bracket && *after++ != ']') {
		return err_set(err, ERR_INVALID_VALUE, "the ] behind the address is missing");
	}
	uint32_t port = ALPACA_PORT;
	bool good = true;
	if (*after == ':') {
		size_t digits = strcspn(after + 1, "/");
		good = text_parse_u32((struct span){after + 1, digits}, &port);
		after += 1 + digits;
	}
	if (length == 0 || length >= sizeof out->host || !good || port == 0 || port > UINT16_MAX ||
		(*after != '\0' && strcmp(after, "/") != 0)) {
		return err_set(err, ERR_INVALID_VALUE, "this is no URL of a server such as http://pier:11111");
	}
	memcpy(out->host, host, length);
	out->host[length] = '\0';
	snprintf(out->port, sizeof out->port, "%u", port);
	return ERR_OK;
}

void af_http_encode(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-._~", c);
		buf_printf(out, plain ? "%c" : "%%%02X", c);
	}
}

/* Connects; -1 with err filled. */
static int connect_to(const struct af_server *server, int timeout_ms, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int why = getaddrinfo(server->host, server->port, &hints, &list);
	if (why != 0) {
		err_set(err, ERR_IO, "%s is not found: %s", server->host, gai_strerror(why));
		return -1;
	}
	int fd = -1;
	for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
		/* On Linux the time limit for sending is also that of connect() (man 7 socket). */
		struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
		if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
				       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
				       connect(fd, at->ai_addr, at->ai_addrlen) != 0)) {
			int reason = errno == EINPROGRESS ? ETIMEDOUT : errno;
			close(fd);
			fd = -1;
			errno = reason;
		}
	}
	if (fd < 0) {
		err_set(err, ERR_IO, "%s port %s does not answer: %s", server->host, server->port, strerror(errno));
	}
	freeaddrinfo(list);
	return fd;
}

/* Takes the head off the reply and checks that the body is whole. */
static enum err_code take_head(struct buf *reply, int *status, struct err *err)
{
	char *end = reply->len > 0 ? strstr(reply->data, "\r\n\r\n") : NULL;
	uint32_t code = 0;
	if (end == NULL || reply->len < 12 || strncmp(reply->data, "HTTP/1.", 7) != 0 ||
		!text_parse_u32((struct span){reply->data + 9, 3}, &code)) {
		return err_set(err, ERR_IO, "what answers there is no focusd");
	}
	const char *field = strcasestr(reply->data, "\r\ncontent-length:");
	size_t head = (size_t)(end + 4 - reply->data);
	if (field != NULL && field < end && strtoul(field + 17, NULL, 10) != reply->len - head) {
		return err_set(err, ERR_IO, "the connection broke in the middle of a reply");
	}
	reply->len -= head;
	memmove(reply->data, reply->data + head, reply->len + 1);
	*status = (int)code;
	return ERR_OK;
}

static enum err_code talk(int fd, const struct buf *request, int timeout_ms, const volatile sig_atomic_t *stop,
	int *status, struct buf *reply, struct err *err)
{
	int64_t deadline_ms = clock_now_ms(clock_real()) + timeout_ms;
	char part[8192];
	ssize_t got;
	for (size_t sent = 0; sent < request->len; sent += (size_t)got) {
		got = send(fd, request->data + sent, request->len - sent, MSG_NOSIGNAL);
		if (got < 0) {
			return err_set(err, ERR_IO, "the connection broke: %s", strerror(errno));
		}
	}
	while ((got = recv(fd, part, sizeof part, 0)) != 0) {
		bool late = clock_now_ms(clock_real()) >= deadline_ms;
		if (stop != NULL && *stop != 0) {
			return err_set(err, ERR_CANCELLED, "interrupted");
		}
		if (late || (got < 0 && errno == EAGAIN)) {
			return err_set(err, ERR_TIMEOUT, "no reply came in %d s", timeout_ms / 1000);
		}
		if (got < 0 && errno != EINTR) {
			return err_set(err, ERR_IO, "the connection broke: %s", strerror(errno));
		}
		buf_add(reply, part, got > 0 ? (size_t)got : 0);
	}
	return reply->failed ? err_set(err, ERR_IO, "the reply is too long") : take_head(reply, status, err);
}

enum err_code af_http(const struct af_server *server, const char *method, const char *path, const char *body,
	int timeout_ms, const volatile sig_atomic_t *stop, int *status, struct buf *reply, struct err *err)
{
	buf_clear(reply);
	int fd = connect_to(server, timeout_ms, err);
	if (fd < 0) {
		return stop != NULL && *stop != 0 ? ERR_CANCELLED : ERR_IO;
	}
	struct buf request;
	buf_init(&request, REQUEST_MAX);
	bool six = strchr(server->host, ':') != NULL;
	buf_printf(&request,
		"%s %s HTTP/1.0\r\nHost: %s%s%s:%s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		method, path, six ? "[" : "", server->host, six ? "]" : "", server->port, strlen(body), body);
	enum err_code code = request.failed ? err_set(err, ERR_NOMEM, "out of memory")
					    : talk(fd, &request, timeout_ms, stop, status, reply, err);
	buf_fini(&request);
	close(fd);
	return code;
}
